package main

import (
	"fmt"
	"strings"
	"time"

	"earshot/node/hub/bench/load"
)

// The servers of the table, in the order of its columns.
var columns = []string{"earshot", "nats", "jetstream, sync always", "inspircd", "ngircd", "bare Go, TLS", "bare hub"}

const (
	us, perSecond, ms, kb, seconds = "µs", "/s", "ms", "KB", "s"
)

// A figure is one line of the table.
type figure struct {
	key   string // of load.Result
	what  string
	unit  string
	scale float64
	more  bool // more is better
}

// A row is one thing measured.
type row struct {
	name, what string
	spec       load.Spec
	quiet      bool     // earshot keeps nothing
	beside     []string // the other servers
	against    string   // whom the ratio is with
	figures    []figure
	once       bool                         // measured once: it takes long
	measure    func(b *bench, r *row) error // instead of spec and beside
}

var (
	perDelivery = figure{"cpu_us", "server CPU per delivery", us, 1, false}
	deliveries  = figure{"deliveries_s", "deliveries", perSecond, 1, true}
	connection  = figure{"kb_connection", "memory per connection", kb, 1, false}
)

func flood(receivers int) load.Spec {
	return load.Spec{Mode: "flood", Receivers: receivers, Senders: 1, Size: 100, Window: 1000, Run: 50, Warm: 400 * time.Millisecond, Time: 1200 * time.Millisecond}
}

// but changes a spec.
func but(s load.Spec, change func(*load.Spec)) load.Spec {
	change(&s)
	return s
}

var (
	peers   = []string{"nats", "inspircd", "ngircd", "bare Go, TLS"}
	bared   = append(peers[:len(peers):len(peers)], "bare hub")
	durable = []string{"nats", "jetstream, sync always"}
	acked   = func(s *load.Spec) { s.Acks = true }
	paced   = load.Spec{Mode: "paced", Receivers: 100, Senders: 1, Size: 100, Rate: 200, Warm: 300 * time.Millisecond, Time: 3 * time.Second}
	delays  = []figure{{"p50_us", "p50", us, 1, false}, {"p99_us", "p99", us, 1, false}}
	one     = func(s *load.Spec) { s.Window = 1 }
)

// brief are the rows of --quick.
var brief = []row{
	{name: "flood", spec: flood(100), quiet: true, beside: []string{"nats"}, against: "nats", figures: []figure{perDelivery}},
	{name: "durable", spec: but(flood(100), acked), beside: []string{"nats"}, against: "nats", figures: []figure{perDelivery}},
	{name: "one", spec: but(flood(100), one), quiet: true, beside: []string{"nats"}, against: "nats", figures: []figure{perDelivery}},
	{name: "idle", spec: load.Spec{Mode: "idle", Receivers: 1000, Time: 500 * time.Millisecond}, beside: []string{"nats"}, against: "nats", figures: []figure{connection}},
}

// table are all rows.
var table = []row{
	{name: "flood", what: "flood, 100 receivers, 100 bytes, nothing kept", spec: flood(100), quiet: true, beside: peers, against: "nats", figures: []figure{perDelivery, deliveries}},
	{name: "durable", what: "the same, SQLite FULL, acknowledgements in the window", spec: but(flood(100), acked), beside: durable, against: "nats", figures: []figure{perDelivery}},
	{name: "jetstream", what: "the same against JetStream, sync always", spec: but(flood(100), acked), beside: durable[1:], against: durable[1], figures: []figure{deliveries}},
	{name: "rooms", what: "flood, 8 authors in 4 rooms", spec: but(flood(100), func(s *load.Spec) { s.Senders, s.Rooms = 8, 4 }), quiet: true, beside: []string{"nats"}, against: "nats", figures: []figure{perDelivery, deliveries}},
	{name: "private", what: "flood in a private room, and in a public one", measure: (*bench).private, figures: []figure{perDelivery, {"share", "CPU in the public room ÷ in the private one", "×", 1, true}}},
	{name: "one", what: "one in flight, nothing kept", spec: but(flood(100), one), quiet: true, beside: bared, against: "nats", figures: []figure{perDelivery}},
	{name: "one-durable", what: "one in flight, acknowledged from disk", spec: but(but(flood(100), one), acked), beside: []string{durable[1], "bare hub"}, against: durable[1], figures: []figure{perDelivery}},
	{name: "latency", what: "200 messages a second to 100", spec: paced, beside: bared, against: "nats", figures: delays},
	{name: "latency-quiet", what: "the same, nothing kept", spec: paced, quiet: true, beside: []string{"nats", "bare hub"}, against: "nats", figures: delays},
	{name: "idle", what: "1,000 idle", spec: load.Spec{Mode: "idle", Receivers: 1000, Time: time.Second}, beside: peers, against: "nats", figures: []figure{connection}},
	{name: "idle-9900", what: "9,900 idle", spec: load.Spec{Mode: "idle", Receivers: 9900, Time: 2 * time.Second}, beside: []string{"nats", "inspircd", "bare Go, TLS"}, against: "nats", figures: []figure{connection}, once: true},
	{name: "join", what: "1,000 join at once and read 200 messages each", spec: load.Spec{Mode: "join", Receivers: 1000, Senders: 10, Size: 100, Run: 1, Messages: 200},
		figures: []figure{{"server_cpu_s", "server CPU", seconds, 1, false}, {"all_s", "until all have them", seconds, 1, false}}},
	{name: "many", what: "9,900 clients, 10 messages a second", spec: load.Spec{Mode: "paced", Receivers: 9900, Senders: 1, Size: 100, Rate: 10, Warm: time.Second, Time: 5 * time.Second},
		beside: []string{"nats"}, against: "nats", figures: []figure{{"p99_us", "p99", ms, 1e-3, false}, {"lost", "lost", "", 1, false}}, once: true},
	{name: "stuck", what: "a reader that is stuck beside 100 in a flood", spec: but(flood(100), func(s *load.Spec) { s.Mode, s.Time = "stuck", 8*time.Second }), beside: []string{"nats"},
		figures: []figure{{"cut_s", "cut after", seconds, 1, false}, {"gap_ms", "the others' longest wait", ms, 1, false}, {"hwm_kb", "most memory", "MB", 1.0 / 1024, false}}, once: true},
	{name: "million", what: "1,000,000 messages", measure: (*bench).million, once: true, figures: []figure{
		{"messages_s", "messages a second to one who is behind", perSecond, 1, true}, {"grown_kb", "the hub's memory grows by", "MB", 1.0 / 1024, false},
		{"before_p99_us", "p99 of others before", us, 1, false}, {"p99_us", "p99 of others meanwhile", us, 1, false},
		{"linked_ms", "start to linked", ms, 1, false}, {"screen_ms", "start to the first screen", ms, 1, false}}},
	{name: "size", what: "the binary, stripped", measure: (*bench).size, once: true, figures: []figure{{"mb", "size", "MB", 1, false}}},
}

// growth are figures at other numbers of receivers.
func growth() (rows []row) {
	for _, n := range []int{10, 100, 1000} {
		name := func(what string) string { return fmt.Sprintf("%s-%d", what, n) }
		slow := but(paced, func(s *load.Spec) { s.Receivers, s.Rate = n, 50 })
		rows = append(rows,
			row{name: name("grow-flood"), what: fmt.Sprintf("flood, %d receivers", n), spec: flood(n), quiet: true, beside: durable[:1], against: "nats", figures: []figure{perDelivery}},
			row{name: name("grow-one"), what: fmt.Sprintf("one in flight, %d receivers", n), spec: but(flood(n), one), quiet: true, beside: durable[:1], against: "nats", figures: []figure{perDelivery}},
			row{name: name("grow-latency"), what: fmt.Sprintf("50 messages a second to %d", n), spec: slow, beside: durable[:1], against: "nats", figures: delays})
	}
	return rows
}

func named(rows []row, names []string) (some []row) {
	for _, r := range rows {
		for _, n := range names {
			if strings.TrimSpace(n) == r.name {
				some = append(some, r)
			}
		}
	}
	return some
}
