package node

import (
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"earshot/node/journal"
	"earshot/node/message"
)

// A diary lists the logs that this process wrote, whatever the gathering, in order, and when that was by any clock. With them are those that the processes before it wrote and
// that it took over.
type diary struct {
	clock *journal.Clock

	mu      sync.Mutex // protects what follows
	logs    []*written
	known   map[message.LogID]bool
	earlier int           // how many of logs, the first, are of earlier processes
	rounds  *rate.Limiter // of restating: others say what time it is, and might say another every second
}

// written is one log: when its first message was said.
type written struct {
	log     message.LogID
	stamped time.Time  // as it says
	local   time.Time  // by the machine's clock
	even    time.Time  // to measure from; zero: an earlier process wrote it
	tried   *gathering // in which it was to be restated last
	again   bool       // it was restated
}

// wrongBy is how far off a log's stamps must be to be said again: a day more, and others refuse it for its day.
const wrongBy = 24 * time.Hour

// longestSleep is how long a machine may have slept with this process in its memory.
const longestSleep = 30 * 24 * time.Hour

func newDiary(clock *journal.Clock) *diary {
	return &diary{clock: clock, known: map[message.LogID]bool{}, rounds: rate.NewLimiter(rate.Every(10*time.Minute), 8)}
}

// wrote takes note of a message of a log.
func (d *diary) wrote(key journal.Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.known[key.Log] {
		d.known[key.Log] = true
		d.logs = append(d.logs, &written{log: key.Log, stamped: timeOf(key.HLC), local: d.clock.Local(), even: time.Now()})
	}
}

// found takes over logs that an earlier process wrote. It is not known what clock it had: that of this one, it seems.
func (d *diary) found(j *journal.Journal, logs []message.LogID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range logs {
		if o, held := j.Opening(l); held && !d.known[l] {
			d.known[l] = true
			noon := time.Unix(int64(o.Day)*86400+43200, 0)
			d.logs = slices.Insert(d.logs, d.earlier, &written{log: l, stamped: noon, local: noon})
			d.earlier++
		}
	}
}

// count is how many logs were written so far; since returns those written after the first n.
func (d *diary) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.logs) - d.earlier
}

func (d *diary) since(n int) (logs []message.LogID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.logs[d.earlier+n:] {
		logs = append(logs, w.log)
	}
	return logs
}

// misdated returns the logs that a wrong clock dated, as far as the time is vouched for, by more than one follower's word, and that were not tried in that gathering yet.
func (d *diary) misdated(at *gathering) (logs []message.LogID) {
	now, sure := d.clock.Sure()
	if !sure {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var wrong []*written
	for _, w := range d.logs {
		if !w.again && w.tried != at && w.wrong(now, d.clock.Local()) {
			wrong = append(wrong, w)
		}
	}
	if len(wrong) == 0 || !d.rounds.Allow() {
		return nil
	}
	for _, w := range wrong {
		w.tried = at
		logs = append(logs, w.log)
	}
	return logs
}

// restated: a log was said again, and is done with.
func (d *diary) restated(l message.LogID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.logs {
		w.again = w.again || w.log == l
	}
}

// wrong reports whether a log is of a day to come, or was dated more than a day off, given what time it is now and by the machine's clock. Where that clock was set since,
// what was measured tells when it was said; where the machine slept, when nothing is measured, its clock does: both must agree, or it slept for too long to be true.
func (w *written) wrong(now, local time.Time) bool {
	byClock, measured := local.Sub(w.local), time.Since(w.even)
	if w.even.IsZero() {
		measured = byClock
	}
	off := func(passed time.Duration) bool { return w.stamped.Sub(now.Add(-passed)).Abs() > wrongBy }
	day := func(t time.Time) int64 { return t.Unix() / 86400 }
	return day(w.stamped) > day(now)+1 || off(measured) && (off(byClock) || (byClock-measured).Abs() > longestSleep)
}
