/** The page's one comparison, with the server and the outbox behind it. */

import { outbox } from '../votes/post';
import { askForComparison } from './ask';
import { Sessions } from './session';

export const sessions = new Sessions(askForComparison, outbox);
