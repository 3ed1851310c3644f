/** Which error codes are in an answer: codes are where fields are named so, at any depth. */
import { errorName } from '../../kafka/protocol/error-codes.ts';

/** Of `errorCode` and `partitionErrorCode` alike. */
const CODE_FIELD = 'rrorCode';

export function countCodes(answer: unknown, count: (what: string) => void): void {
  if (typeof answer !== 'object' || answer === null || ArrayBuffer.isView(answer)) return;
  if (Array.isArray(answer)) {
    for (const each of answer) countCodes(each, count);
    return;
  }
  for (const name in answer) {
    const value = (answer as Readonly<Record<string, unknown>>)[name];
    if (typeof value === 'object') countCodes(value, count);
    else if (value !== 0 && typeof value === 'number' && name.endsWith(CODE_FIELD)) {
      count(`answer ${errorName(value)}`);
    }
  }
}
