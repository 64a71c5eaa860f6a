import { marksOf, NEUTRAL } from './marks';
import { catalogue } from './models';
import { Shape } from './Shape';
import { useStore } from './store';

/** A model's shape in its colour, by the id of the model; nothing for what no model wrote. */
export function ModelShape({ model }: { model: string | null }) {
  const models = useStore(catalogue);
  return model === null ? null : <Shape mark={marksOf([model], models).get(model) ?? NEUTRAL} />;
}
