/** Of when the figures are, and whether real models stand behind them: what a file that leaves the page must say. */

import { createContext } from 'preact';

export const Answer = createContext({ generatedAt: '', simulated: false });
