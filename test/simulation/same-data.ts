/** Equal as data: decoded records have a class of their own, which nobody means. */
export function isSameData(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) {
    return false;
  }
  const names = Object.keys(one) as (keyof typeof one)[];
  const isAlike =
    Array.isArray(one) === Array.isArray(other) && names.length === Object.keys(other).length;
  return isAlike && names.every((name) => isSameData(one[name], other[name]));
}
