import { maskHandle } from './mask.js';

const ADDRESS = /[^\s@<>"',;:()=]+@[^\s@<>"',;:()]+\.[^\s@<>"',;:()]+/g;
const NUMBER = /\+\d[\d ()./-]{5,}\d/g;
/** As people write it, without a country code. */
const PARTED_NUMBER = /(?<![\w.-])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\w.-])/g;
/** With the trunk prefix of most countries: `0151 12345678`, `089/123456`. */
const TRUNK_NUMBER = /(?<![\w.:/-])0\d{1,4}[ /-]\d[\d -]{3,}\d(?![\w.:-])/g;
/** Other programs write numbers without their plus. */
const BARE_NUMBER = /(?<![\w.-])\d{10,15}(?![\w.-])/g;

/** A text of any kind with every phone number and e-mail address in it masked as `maskHandle` does. Pure and total. */
export function maskContacts(text: string): string {
  return [ADDRESS, NUMBER, PARTED_NUMBER, TRUNK_NUMBER, BARE_NUMBER].reduce(
    (masked, form) => masked.replace(form, maskHandle),
    text,
  );
}
