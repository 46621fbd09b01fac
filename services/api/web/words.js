// Words of the page. Pure: no document, no clock but the one that is given.

const STATES = {
  "unacknowledged": "ACTIVE",
  "acknowledged": "seen",
  "returned-unacknowledged": "returned",
  "latched-unacknowledged": "LATCHED",
  "latched-acknowledged": "latched, seen",
};
const PRIORITIES = { 1: "urgent", 2: "high", 3: "low", 4: "record" };

export const stateWord = (state) => STATES[state] || state;
export const priorityWord = (priority) => PRIORITIES[priority] || "";

/** Four digits, without an exponent where none is needed. */
export function number(value) {
  if (value == null) return "–";
  const size = Math.abs(value);
  if (size >= 1e6 || (size !== 0 && size < 1e-4)) return value.toExponential(2);
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

/** Tag, value and what was expected, without the vessel's name. */
export function words(alarm) {
  const why = alarm.explanation;
  const seen = why.value == null ? "no data" : number(why.value);
  return `${why.tag.replace(`${alarm.vessel}/`, "")} ${seen}, expected ${why.expected}`;
}

/** What an acknowledgement is of: an alarm as it was shown. */
export const key = (alarm) => `${alarm.alarm} ${alarm.state} ${Date.parse(alarm.at)}`;

/** Length of time since, in its largest unit or two. */
export function ago(since, now = Date.now()) {
  const s = Math.max(0, Math.floor((now - Date.parse(since)) / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** Time of day, UTC, with the day when it is not today's. */
export function clock(time, now = Date.now()) {
  const then = new Date(time).toISOString(), today = new Date(now).toISOString();
  return then.slice(0, 10) === today.slice(0, 10) ? then.slice(11, 19) : then.slice(0, 16).replace("T", " ");
}
