/** How often the page of what runs asks again: milliseconds. */
export const refresh = () => 5000;
