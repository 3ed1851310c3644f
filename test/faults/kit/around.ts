/** For preloads: wraps methods of the product's classes from outside. Nothing of it is in the product. */

/** Replaces a method of a class; `wrap` gets the one before, bound to the object. */
export function around<T extends object, Name extends keyof T & string>(
  prototype: T,
  name: Name,
  wrap: (self: T, before: T[Name], args: readonly unknown[]) => unknown,
): void {
  const before = prototype[name] as (...args: unknown[]) => unknown;
  Object.defineProperty(prototype, name, {
    configurable: true,
    writable: true,
    value(this: T, ...args: unknown[]) {
      return wrap(this, before.bind(this) as T[Name], args);
    },
  });
}
