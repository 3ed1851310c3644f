/**
 * The numbered seats of one zone as decisions see them: read only. What a decision wants changed it
 * says as a SeatChange, which is carried out with the rest of the decision.
 *
 * A seat's name is its row in letters and its number in the row: A1, Z40, AA7.
 */
export interface SeatMap {
  /** Those of the names that this zone has no seat of. */
  unknown(names: readonly string[]): readonly string[];
  /** Those of the names (all known) that are held, sold or blocked. */
  unavailable(names: readonly string[]): readonly string[];
  /** Those of the names (all known) that are blocked. */
  blocked(names: readonly string[]): readonly string[];
  /**
   * The best free seats, or undefined when there are none such. `any`: together when that is
   * possible, else in as few groups as possible. `adjacent`: all in one row, side by side, or
   * undefined. `adjacent_or_split`: so if possible, else in as few groups as possible.
   */
  choose(
    quantity: number,
    placement: 'any' | 'adjacent' | 'adjacent_or_split',
  ): readonly string[] | undefined;
}

export interface SeatChange {
  readonly kind: 'take' | 'free' | 'block' | 'unblock';
  readonly seats: readonly string[];
}
