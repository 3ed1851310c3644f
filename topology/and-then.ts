/**
 * Code that is synchronous unless a processor is not: no promise, no microtask and no allocation on
 * the way that has nothing to wait for.
 */

/**
 * Runs `next` after `result`: at once when it is not a promise. A processor written as an arrow
 * function may return any value; what is not a promise counts as done.
 */
export function andThen(
  result: void | Promise<void>,
  next?: () => void | Promise<void>,
): void | Promise<void> {
  if (isPromise(result)) return next === undefined ? result : result.then(next);
  return next?.();
}

/** Calls `each` for every item in order, waiting where it returns a promise. */
export function forEachInOrder<T>(
  items: Iterable<T>,
  each: (item: T) => void | Promise<void>,
): void | Promise<void> {
  const iterator = items[Symbol.iterator]();
  const goOn = (): void | Promise<void> => {
    for (let step = iterator.next(); !step.done; step = iterator.next()) {
      const result = each(step.value);
      if (isPromise(result)) return result.then(goOn);
    }
  };
  return goOn();
}

function isPromise(result: void | Promise<void>): result is Promise<void> {
  return result !== undefined && typeof (result as Promise<void>)?.then === 'function';
}
