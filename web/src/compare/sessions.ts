/** The page's one comparison, connected to the server and the outbox. */

import { outbox } from '../votes/post';
import { askForComparison } from './ask';
import { Sessions } from './session';

export const sessions = new Sessions(askForComparison, outbox);
