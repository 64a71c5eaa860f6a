import services from '../../../service/data/services.json';
import { visit } from '../routes';
import { catalogue } from '../shared/models';
import { useStore } from '../shared/store';
import { addressOfWish, type Wish } from './wish';

interface Option {
  value: string;
  name: string;
}

const SERVICES: Option[] = services.map(({ name }) => ({ value: name, name }));

/** The choice of a service and a model, which is in the address as well. */
export function Filters({ wish }: { wish: Wish }) {
  const models = useStore(catalogue)?.models ?? [];
  const names = models.map(({ model, name }) => ({ value: model, name }));
  return (
    <div class="filters">
      <Filter
        label="Service"
        all="All services"
        value={wish.service}
        options={SERVICES}
        choose={(service) => visit(addressOfWish({ ...wish, service }))}
      />
      <Filter
        label="Model"
        all="All models"
        value={wish.model}
        options={names}
        choose={(model) => visit(addressOfWish({ ...wish, model }))}
      />
    </div>
  );
}

interface FilterProps {
  label: string;
  all: string;
  value: string;
  options: Option[];
  choose: (value: string) => void;
}

function Filter({ label, all, value, options, choose }: FilterProps) {
  // The address may ask for one that is not in the list, or not yet.
  const isListed = value === '' || options.some((option) => option.value === value);
  const shown = isListed ? options : [...options, { value, name: value }];
  return (
    <label class="filter">
      <span>{label}</span>
      <select value={value} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="">{all}</option>
        {shown.map((option) => (
          <option key={option.value} value={option.value}>
            {option.name}
          </option>
        ))}
      </select>
    </label>
  );
}
