// These come before the views' own styles, which build on them.
import './theme.css';
import './base.css';

import { render } from 'preact';
import { App } from './App';
import { followAddress } from './routes';
import { startRemembering } from './sayings/remember';
import { followConnection } from './shared/connection';
import { fetchModels } from './shared/models';
import { keepPageForOffline } from './shared/offlinePage';
import { keepTranslatable } from './shared/translatable';
import { startSending } from './votes/post';

keepTranslatable();
followAddress();
followConnection();
startRemembering();
startSending();
keepPageForOffline();

const root = document.getElementById('page');
if (root) render(<App />, root);

void fetchModels();
