/** What stands behind the ticket office. */
export interface PurchaseRequest {
  readonly purchaseId: string;
  readonly zoneId: string;
  readonly buyerId: string;
  readonly quantity: number;
}

/** True when sold. A repeated purchase id gets its first answer again. */
export type Backend = (request: PurchaseRequest) => Promise<boolean>;
