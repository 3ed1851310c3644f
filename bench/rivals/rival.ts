/**
 * What the bench asks of a rival. A Kafka rival decides the very records that our app decides and
 * answers in the same schemas, so that the same clocks and the same proof apply to it. An HTTP rival
 * answers the same requests.
 */
/** What a Kafka rival is told, as one JSON text or as name=value. */
export interface KafkaJob {
  /** Group, and prefix of its internal topics. */
  readonly application: string;
  readonly brokers: string;
  /** Its state lies below; kept from start to start. */
  readonly state: string;
  readonly threads: number;
  readonly commitMs: number;
  readonly guarantee: string;
  readonly commands: string;
  readonly status: string;
  readonly inventory: string;
  /** As they are registered for the three topics. */
  readonly commandSchema: number;
  readonly statusSchema: number;
  readonly inventorySchema: number;
}

export interface KafkaRival {
  readonly kind: 'kafka';
  /** undefined when it can run here; else the reason to print beside SKIPPED. */
  whyNot(): string | undefined;
  /** Builds or fetches what is missing, once. */
  prepare(): Promise<void>;
  /** Program and arguments; runs in the foreground and stops on SIGTERM. */
  command(job: KafkaJob): readonly string[];
}

/** Stock of a zone as the bench sets it up. */
export interface ZoneStock {
  readonly zoneId: string;
  readonly capacity: number;
}

export interface HttpRival {
  readonly kind: 'http';
  whyNot(): string | undefined;
  prepare(): Promise<void>;
  /** `answers`: what to answer to GETs, for rivals that only repeat what we say. */
  start(
    directory: string,
    zones: readonly ZoneStock[],
    answers: readonly CannedAnswer[],
  ): Promise<RunningHttpRival>;
}

export interface CannedAnswer {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface RunningHttpRival {
  readonly url: string;
  usage(): HttpUsage;
  /** Whether the books say that so many tickets were sold, no zone above its capacity. */
  audit(sold: number): Promise<boolean>;
  stop(): Promise<void>;
}

/** So far. */
export interface HttpUsage {
  /** Of the process that speaks HTTP. */
  readonly appCpuSeconds: number;
  /** Of the database, or of the broker. */
  readonly otherCpuSeconds: number;
  readonly appPeakRssMiB: number;
}

export type Rival = KafkaRival | HttpRival;
