/** Which error codes are in an answer: codes are where fields are named so, at any depth. */
import { errorName } from '../../kafka/protocol/error-codes.ts';

const CODE_FIELD = /errorCode$/i;

export function countCodes(answer: unknown, count: (what: string) => void): void {
  if (typeof answer !== 'object' || answer === null || ArrayBuffer.isView(answer)) return;
  if (Array.isArray(answer)) {
    for (const each of answer) countCodes(each, count);
    return;
  }
  for (const name in answer) {
    const value = (answer as Readonly<Record<string, unknown>>)[name];
    if (typeof value === 'object') countCodes(value, count);
    else if (value !== 0 && typeof value === 'number' && CODE_FIELD.test(name)) {
      count(`answer ${errorName(value)}`);
    }
  }
}
