/** The registry port: what serdes need of a schema registry, wherever it runs. */

/** A parsed Avro schema, as JSON. */
export type AvroSchema = string | { readonly [key: string]: unknown } | readonly AvroSchema[];

export interface SchemaRegistry {
  /**
   * Checks compatibility with the subject's versions, registers, and returns the schema's id; the
   * same schema again returns the same id. Rejects SCHEMA_INCOMPATIBLE or SCHEMA_REGISTRY_UNAVAILABLE.
   */
  register(subject: string, schema: AvroSchema): Promise<number>;
  /** Rejects SCHEMA_UNKNOWN when there is no such id, SCHEMA_REGISTRY_UNAVAILABLE when nobody answers. */
  schemaById(id: number): Promise<AvroSchema>;
}
