/** The time of the figures and whether they are of simulated models, for the names of downloaded files. */

import { createContext } from 'preact';

export const FiguresContext = createContext({ generatedAt: '', simulated: false });
