/* The form's live part: what fits, what it costs, and what may be chosen. The portal puts this file below the form,
   inside a function. Everything is looked up in the launch table that the form carries; submit.yml.erb decides again,
   so the form works without this file too. Text goes into the page as text, never as HTML. */
'use strict';

const PREFIX = 'batch_connect_session_context_';
const MORE = ['llm_preset', 'llm_context', 'llm_adapters', 'llm_qos', 'llm_idle_min', 'llm_reservation', 'llm_mail'];
const DEFAULTS = { llm_idle_min: '30' };

const field = (id) => document.getElementById(PREFIX + id);
const model = field('llm_model');
const gpus = field('llm_gpus');
const hours = field('bc_num_hours');
if (!model || !gpus || !hours || document.getElementById('curc-llm-panel')) return;

/* ---- small pieces ---- */

const number = (value) => Number(value).toLocaleString('en-US', { maximumFractionDigits: 1 });
// Service units as the card has them: tenths only below 100.
const units = (su) => `${number(su < 100 ? su : Math.round(su))} ${table.site.unit}`;
const plural = (count, one, many) => `${number(count)} ${count === 1 ? one : many || one + 's'}`;
const value = (id) => (field(id) ? field(id).value.trim() : '');
// The block of a field with its label and help; the portal's releases name it differently.
const block = (id) => field(id) && (field(id).closest('.mb-3, .form-group') || field(id).parentElement);

function element(tag, attributes, ...inside) {
  const made = document.createElement(tag);
  Object.entries(attributes || {}).forEach(([name, said]) => made.setAttribute(name, said));
  made.append(...inside.filter((part) => part !== null && part !== undefined));
  return made;
}

// The portal's own scripts listen with jQuery or without: an event that bubbles reaches both. What follows from a
// choice of this form's own is added to its note.
let note = ''; // what this form changed by itself, said once
let depth = 0;
function choose(input, chosen, why) {
  if (why) note = `${note} ${why}`.trim();
  if (input.value === String(chosen)) return;
  input.value = chosen;
  depth += why ? 1 : 0;
  input.dispatchEvent(new Event('change', { bubbles: true }));
  depth -= why ? 1 : 0;
}

function listen(input, what) {
  if (!input) return;
  if (window.jQuery) window.jQuery(input).on('change.curcllm input.curcllm', what);
  else ['change', 'input'].forEach((name) => input.addEventListener(name, what));
}

/* ---- looking things up ---- */

let table = null;

async function readTable(text) {
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Response(plain).json();
}

// Of a model on these GPUs: { fits: true, columns… }, { fits: false, reason, others }, or null when nothing is known.
function lookUp(name, slug, preset) {
  const rows = ((table.plans[name] || {})[slug]) || null;
  if (!rows) return null;
  const row = rows[preset] || rows[''];
  if (row.length === 2) return { fits: false, reason: row[0], others: row[1] };
  return Object.assign({ fits: true }, Object.fromEntries(table.columns.map((column, at) => [column, row[at]])));
}

const place = (slug) => {
  const [gpu, count, title] = table.places[slug];
  return { ...table.gpus[gpu], gpu, count, title };
};

// The QoS that take these GPUs, the shortest first: one for tests only alone, when wanted, or for its purpose.
function takers(slug, preset, wanted) {
  const { qos, count } = place(slug);
  const all = table.site.qos;
  const names = Object.keys(qos).filter((name) => all[name]);
  const forWork = names.filter((name) => !all[name].is_for_tests);
  const some = wanted ? names.filter((name) => name === wanted)
    : table.presets[preset] === 'development' || !forWork.length ? names : forWork;
  return some.filter((name) => qos[name] === null || count <= qos[name])
    .sort((a, b) => all[a].max_time_h - all[b].max_time_h || (a < b ? -1 : 1));
}

function term(slug, preset, wanted, time) {
  const all = table.site.qos;
  if (!Object.keys(all).length) return { qos: '', longest: Infinity, least: 0, factor: 1 };
  const names = takers(slug, preset, wanted);
  const within = (name, h) => all[name].min_time_h <= h && h <= all[name].max_time_h;
  const usual = names.find((name) => within(name, table.site.default_hours)) || names[0];
  const qos = names.find((name) => within(name, time));
  return {
    qos,
    longest: Math.max(0, ...names.map((name) => all[name].max_time_h)),
    least: Math.min(...names.map((name) => all[name].min_time_h)),
    factor: qos && usual ? all[qos].billing_factor / all[usual].billing_factor : 1,
  };
}

// The longest context that some plan of this model has room for on these GPUs.
function longestContext(name, slug, preset) {
  const most = table.models[name].max_context_tokens;
  const rows = Object.keys((table.plans[name] || {})[slug] || {})
    .filter((key) => key !== 'development' || key === preset).map((key) => lookUp(name, slug, key));
  return Math.max(0, ...rows.filter((row) => row.fits).map((row) => Math.max(row.max_model_len,
    Math.min(most, Math.floor(row.chats * Math.min(table.chat_tokens, row.max_model_len) / row.data_parallel_size)))));
}

// What is chosen now, and what the table says of it.
function judge() {
  const name = model.value;
  const own = name === 'own';
  const preset = value('llm_preset');
  const slug = gpus.value;
  const time = Number(hours.value);
  if (!table.places[slug] || !(own || table.models[name])) return null;
  const row = own ? { fits: table.own[slug] !== null, su_per_h: table.own[slug], others: [] } : lookUp(name, slug, preset);
  const found = term(slug, preset, value('llm_qos'), time);
  const problem = explain(name, slug, preset, row, found, time);
  return { name, own, preset, slug, time, row, found, problem, place: place(slug), rate: row.su_per_h * found.factor };
}

const isCramped = (row) => row.fits && row.chats > 0 && (row.chats < 2 || row.max_model_len < table.chat_tokens);

// The cheapest launches of a model that may run so long.
function longRunners(name, preset, time) {
  const fit = Object.keys(table.places).map((slug) => [slug, lookUp(name, slug, preset)])
    .filter(([slug, row]) => row && row.fits && !place(slug).on_request && term(slug, preset, '', time).qos);
  fit.sort((a, b) => isCramped(a[1]) - isCramped(b[1]) || a[1].su_per_h - b[1].su_per_h);
  return fit.slice(0, 2).map(([slug]) => slug);
}

function explain(name, slug, preset, row, found, time) {
  const { title, count, qos } = place(slug);
  const wanted = value('llm_qos');
  if (!row.fits) return { field: gpus, text: row.reason || `vLLM doesn't run on ${title}.`, others: row.others };
  if (!found.longest) {
    const most = qos[wanted] ? `gives one person ${qos[wanted]} of these GPUs, not ${count}` : "doesn't take these GPUs";
    return { field: field('llm_qos'), text: `The QoS ${wanted} ${most}. Automatic takes the right one.`, others: [] };
  }
  if (!Number.isInteger(time) || time < 1) return { field: hours, text: 'Hours must be a whole number, 1 or more.', others: [] };
  const other = wanted && !found.qos && term(slug, preset, '', time).qos;
  if (other) {
    const limit = time > found.longest ? `allows ${plural(found.longest, 'hour')}` : `takes ${plural(found.least, 'hour')} at least`;
    const text = `QoS ${wanted} ${limit}; ${other} allows ${number(table.site.qos[other].max_time_h)}: choose it or leave QoS on automatic.`;
    return { field: field('llm_qos'), text, others: [], automatic: true };
  }
  if (time > found.longest) {
    const longer = name === 'own' ? [] : longRunners(name, preset, time);
    return { field: hours, text: `${title} may run ${plural(found.longest, 'hour')} at most.`, others: longer, hours: found.longest };
  }
  if (!found.qos) return { field: hours, text: `${title} must run ${plural(found.least, 'hour')} at least.`, others: [] };
  const tokens = Number(value('llm_context'));
  if (name === 'own' || !tokens || tokens <= longestContext(name, slug, preset)) return null;
  const most = number(longestContext(name, slug, preset));
  return { field: field('llm_context'), text: `${title} holds a context of ${most} tokens at most.`, others: [] };
}

/* ---- the panel ---- */

const headline = element('p', { class: 'curc-llm-headline' });
const body = element('div', {});
const spoken = element('div', { class: 'curc-llm-spoken', role: 'status', 'aria-live': 'polite' });
const panel = element('section', { id: 'curc-llm-panel', 'aria-label': 'What this launch gives and costs' }, headline, body, spoken);

function say(kind, title) {
  panel.dataset.state = kind;
  const mark = { fits: '✓', refused: '✗', own: '?' }[kind] || '…';
  headline.replaceChildren(element('span', { 'aria-hidden': 'true', class: 'curc-llm-mark' }, mark), ` ${title}`);
}

// A screen reader hears one sentence, once typing has stopped; the panel itself isn't live.
let waiting = null;
function announce(sentence) {
  clearTimeout(waiting);
  waiting = setTimeout(() => { if (spoken.textContent !== sentence) spoken.textContent = sentence; }, 600);
}

function figures(pairs) {
  const shown = pairs.filter(([, said]) => said);
  const cells = shown.map(([name, said, more]) => element('div', {}, element('dt', {}, name),
    element('dd', {}, said, more ? element('small', {}, more) : null)));
  return element('dl', {}, ...cells);
}

// GPU memory of one copy of the model, over the GPUs that share it.
function memoryBar(state) {
  const { row, place: where } = state;
  const sharing = row.tensor_parallel_size * row.pipeline_parallel_size;
  const total = where.memory_gib * sharing;
  const parts = [['weights', 'Model', row.weights_gib], ['chats', 'Chats', row.kv_cache_gib],
    ['work', 'Working space', row.work_gib * sharing]];
  const used = parts.reduce((sum, part) => sum + part[2], 0);
  parts.push(['free', 'Kept free', Math.max(0, total - used)]);
  const told = parts.map(([, name, gib]) => `${name} ${number(gib)} GiB`).join(', ');
  const copies = row.data_parallel_size > 1 ? `, one of ${row.data_parallel_size} copies` : '';
  const bar = element('div', { class: 'curc-llm-bar', role: 'img', 'aria-label': `GPU memory: ${told}` });
  const legend = element('ul', { 'aria-hidden': 'true' });
  parts.forEach(([kind, name, gib]) => {
    const part = element('span', { class: `curc-llm-${kind}` });
    part.style.width = `${100 * gib / Math.max(total, used)}%`;
    bar.append(part);
    legend.append(element('li', {}, element('span', { class: `curc-llm-${kind}` }), ` ${name} ${number(gib)} GiB`));
  });
  return element('div', { class: 'curc-llm-memory' },
    element('p', {}, `GPU memory: ${number(total)} GiB${copies}`), bar, legend);
}

// A button that sets fields, the most important first.
function button(label, ...pairs) {
  const made = element('button', { type: 'button', class: 'btn btn-outline-primary btn-sm' }, label);
  made.addEventListener('click', () => { pairs.forEach(([input, chosen]) => choose(input, chosen)); pairs[0][0].focus(); });
  return made;
}
const useGpus = (slug, ...more) => button(`Use ${place(slug).title}`, [gpus, slug], ...more);

// How many times the suggested launch's cost per hour, where that one works too and this one isn't cramped.
function timesDearer(state, best) {
  const row = !state.own && !state.problem && best && !isCramped(state.row) && lookUp(state.name, best, state.preset);
  return row && row.fits && term(best, state.preset, value('llm_qos'), state.time).qos ? state.row.su_per_h / (row.su_per_h || Infinity) : 0;
}

function advice(state) {
  const about = table.models[state.name] || {};
  const said = [];
  if (note) said.push([note]);
  if (state.own) said.push(['Whether your own model fits is worked out when the job starts, before anything is downloaded.']);
  if (about.gated && !about.at_site) {
    const page = element('a', { href: `https://huggingface.co/${about.hub_id}`, target: '_blank', rel: 'noopener' }, 'its page');
    said.push([`${about.title} asks for an agreement: accept it on `, page, ' at Hugging Face, then run ',
      element('code', {}, 'curc-llm token'), ' once in a shell on the cluster. Never enter a token here.']);
  }
  if (!state.own && isCramped(state.row) && about.best && about.best !== state.slug) {
    said.push(['There is little room here: one long chat at most. ', useGpus(about.best)]);
  }
  const dear = timesDearer(state, about.best);
  if (dear >= 2) said.push([`${number(dear)} times dearer than the suggested ${place(about.best).title}. `, useGpus(about.best)]);
  if (state.place.on_request) said.push(['These GPUs are for those who asked the centre for them.']);
  return said.map((parts) => element('p', { class: 'curc-llm-advice' }, ...parts));
}

// Buttons for launches that work, one click each. For hours that only other GPUs allow, no QoS may stand in their way.
function others(problem) {
  const automatic = field('llm_qos') ? [[field('llm_qos'), '']] : [];
  const ways = problem.others.filter((slug) => table.places[slug]).map((slug) => useGpus(slug, ...(problem.hours ? automatic : [])));
  if (problem.automatic) ways.push(button('Leave QoS on automatic', ...automatic));
  if (problem.hours) ways.unshift(button(`Use ${plural(problem.hours, 'hour')}`, [hours, problem.hours]));
  return ways.length ? element('p', { class: 'curc-llm-others' }, ...ways) : null;
}

function chats(row) {
  const tokens = Math.min(table.chat_tokens, row.max_model_len);
  const room = Math.floor(row.chats);
  if (!row.chats) return null;
  return [`Chats of ${number(tokens)} tokens at once`, room ? number(room) : 'not a full one'];
}

function showRefusal(state) {
  say('refused', "This launch doesn't work");
  body.replaceChildren(element('p', {}, state.problem.text), others(state.problem) || '', ...advice(state));
  announce(`Doesn't work. ${state.problem.text}`);
}

function showLaunch(state) {
  const { row, rate, time } = state;
  const unit = table.site.unit;
  const total = units(rate * time);
  const cost = [['Cost per hour', `${number(rate)} ${unit}`], ['Cost in all', total, ` for ${plural(time, 'hour')}; less if it ends earlier`],
    ['QoS', state.found.qos]];
  const room = state.own ? null : chats(row);
  const about = state.own ? [] : [room, ['Context', `${number(Number(value('llm_context')) || row.max_model_len)} tokens`],
    ['One answer', row.decode_tokens_per_s ? `about ${number(Math.round(row.decode_tokens_per_s))} tokens/s` : ''],
    ['Ready', `after about ${plural(Math.max(1, Math.round(row.load_time_s / 60)), 'minute')}`,
      table.models[state.name].at_site ? ' from when it starts' : ' from when it starts, plus the download'],
    ['Format of the weights', row.quantisation]];
  say(state.own ? 'own' : 'fits', state.own ? 'Checked when it starts' : `Fits on ${state.place.title}`);
  body.replaceChildren(state.own ? '' : memoryBar(state), figures([...about.filter(Boolean), ...cost]), ...advice(state));
  const heard = room ? ` ${room[0]}: ${room[1]}.` : '';
  announce(`${note} ${headline.textContent.slice(2)}.${heard} ${number(rate)} ${unit} per hour, ${total} in all.`.trim());
}

/* ---- choices that depend on each other ---- */

const originals = Array.from(gpus.options).map((option) => ({ option, label: option.textContent }));

function narrowGpus() {
  const name = model.value;
  const preset = value('llm_preset');
  const chosen = gpus.value;
  const rows = originals.filter(({ option }) => table.places[option.value]).map(({ option, label }) => {
    const row = name === 'own' ? { fits: table.own[option.value] !== null, su_per_h: table.own[option.value] }
      : lookUp(name, option.value, preset);
    return { option, label, row };
  });
  const fit = rows.filter(({ row }) => row && row.fits).sort((a, b) => a.row.su_per_h - b.row.su_per_h);
  const rest = rows.filter(({ row }) => !row || !row.fits);
  const best = (table.models[name] || {}).best;
  fit.forEach(({ option, label, row }) => {
    // In front: a narrow page cuts off the end, and the price stands in the panel too.
    option.textContent = `${option.value === best ? '★ ' : ''}${label} · ${number(row.su_per_h)} ${table.site.unit}/h`;
  });
  rest.forEach(({ option, label }) => { option.textContent = label; });
  const group = (label, some) => some.length ? [element('optgroup', { label }, ...some.map(({ option }) => option))] : [];
  gpus.replaceChildren(...group('These hold the model (★ suggested)', fit), ...group("These don't (choose one to see why)", rest));
  gpus.value = chosen;
  return fit;
}

function narrowHours() {
  if (!table.places[gpus.value]) return;
  // Of any QoS: hours that only the chosen one forbids are left alone, and the panel says what to do.
  const { longest, least } = term(gpus.value, value('llm_preset'), '', Number(hours.value));
  if (!Number.isFinite(longest) || !longest) return;
  hours.max = longest;
  hours.min = Math.max(1, Math.ceil(least));
  if (Number(hours.value) > longest) choose(hours, longest, `Hours were set to ${number(longest)}: these GPUs may run no longer.`);
}

function narrowMore() {
  const known = table.models[model.value] && table.places[gpus.value];
  const longest = known ? longestContext(model.value, gpus.value, value('llm_preset')) : Infinity;
  const taking = table.places[gpus.value] ? Object.keys(place(gpus.value).qos) : [];
  Array.from((field('llm_context') || {}).options || []).forEach((option) => { option.disabled = Number(option.value) > longest; });
  Array.from((field('llm_qos') || {}).options || []).forEach((option) => {
    option.disabled = option.value !== '' && !taking.includes(option.value);
  });
}

function toggleOwn() {
  const own = field('llm_own_model');
  if (!own) return;
  block('llm_own_model').hidden = model.value !== 'own';
  own.required = model.value === 'own';
}

// GPUs that the form chose follow the model to cheaper ones; those that a person chose stay while they hold it.
let chosenByHand = true;
function changedModel() {
  const fit = narrowGpus();
  const row = (slug) => (fit.find(({ option }) => option.value === slug) || {}).row;
  const best = (table.models[model.value] || {}).best;
  if (!best) return;
  const now = row(gpus.value);
  if (!now) choose(gpus, best, `GPUs were set to ${place(best).title}, which can hold this model.`);
  else if (chosenByHand || !row(best) || row(best).su_per_h >= now.su_per_h) return;
  else choose(gpus, best, `GPUs were set to ${place(best).title}, which is enough for this model and costs less.`);
  chosenByHand = false;
}

const DECIDING = ['llm_model', 'llm_gpus', 'bc_num_hours', 'llm_preset', 'llm_context', 'llm_qos'];
let seen = '';
function update(event) {
  const source = event ? event.target : null;
  toggleOwn();
  // Leaving a field tells of it again: a panel that is drawn anew then would swallow the click on its buttons.
  const values = JSON.stringify(DECIDING.map(value));
  if (!table || values === seen) return;
  seen = values;
  if (!depth) note = '';
  if (source === gpus && !depth) chosenByHand = true;
  if (source === model) changedModel();
  else if (source === field('llm_preset')) narrowGpus();
  if (source !== hours) narrowHours();
  narrowMore();
  const state = judge();
  [gpus, hours, field('llm_qos'), field('llm_context')].filter(Boolean).forEach((input) => input.setCustomValidity(''));
  if (!state) { say('wait', 'Choose a model and GPUs'); body.replaceChildren(); return; }
  if (state.problem) { state.problem.field.setCustomValidity(state.problem.text); showRefusal(state); } else showLaunch(state);
}

/* ---- the form's order ---- */

function groupModels() {
  const chosen = model.value;
  const groups = new Map();
  Array.from(model.options).forEach((option) => {
    const label = option.dataset.group;
    if (label && !groups.has(label)) groups.set(label, element('optgroup', { label }));
    if (label) groups.get(label).append(option);
  });
  const rest = Array.from(model.children).filter((child) => child.tagName === 'OPTION');
  model.replaceChildren(...groups.values(), ...rest);
  model.value = chosen;
}

function foldMore() {
  const inside = MORE.map(block).filter(Boolean).map((one) => one.closest(`[id$="_wrapper"]`) || one);
  if (!inside.length) return;
  const more = element('details', { class: 'curc-llm-more' }, element('summary', {}, 'More: purpose, context, adapters, QoS, idle time, reservation, e-mail'));
  inside[0].before(more);
  more.append(...inside);
  const changed = (id) => field(id) && (field(id).type === 'checkbox' ? field(id).checked : value(id) !== (DEFAULTS[id] || ''));
  more.open = MORE.some(changed);
  more.addEventListener('invalid', () => { more.open = true; }, true);
  const notice = more.querySelector('.curc-llm-notice');
  if (notice) more.after(element('p', { class: 'curc-llm-data' }, notice));
}

// Help belongs to its field for screen readers too.
function tieHelp() {
  ['llm_model', 'llm_own_model', 'llm_gpus', 'bc_num_hours', 'auto_accounts', ...MORE].forEach((id) => {
    const help = block(id) && block(id).querySelector('small');
    if (!help) return;
    help.id = help.id || `curc-llm-help-${id}`;
    field(id).setAttribute('aria-describedby', help.id);
  });
}

function arrange() {
  document.head.append(element('style', {}, model.dataset.curcLlmStyle || ''));
  tieHelp();
  groupModels();
  foldMore();
  const last = block('bc_num_hours');
  (last.closest('[id$="_wrapper"]') || last).after(panel);
}

arrange();
say('wait', 'Looking up what fits');
DECIDING.forEach((id) => listen(field(id), update));
toggleOwn();
readTable(model.dataset.curcLlmTable || '').then((read) => {
  table = read;
  chosenByHand = gpus.value !== (table.models[model.value] || {}).best;
  narrowGpus();
  update();
}).catch(() => {
  say('wait', 'What fits is checked when you press Launch');
  body.replaceChildren(element('p', {}, 'This browser is too old to show it here.'));
});
