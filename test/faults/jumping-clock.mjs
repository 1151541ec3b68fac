/** Has the wall clock jump ahead by days, and back again, every few seconds. */
const start = Date.now();
const real = Date.now.bind(Date);
const jumps = [0, 4 * 86_400_000, 0, -2 * 86_400_000, 3_600_000];
Date.now = () => real() + jumps[Math.floor((real() - start) / 5000) % jumps.length];
