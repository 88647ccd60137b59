// Command bench measures this project's hub beside other servers, on one machine: the server on one core, what loads it on another, a fresh server each time, one server after the other
// and then again, and the median of that. The script run builds what is needed and starts it in a network of its own; it prints one table, or with --json one object a row.
//
// The servers are the binaries as people get them: earshot --server-only with mutual TLS 1.3, admission, identities, chained and signed messages, and nothing switched off but the bounds that are
// there against floods (--rate 0, --per-ip 0). The others speak plain TCP unless it says TLS, and those that are not in PATH are left out, which is said. Two are yardsticks that are built here: gohub, a bare broadcaster,
// and barehub, which does no more than what is promised for each message, and so tells what earshot cannot do without.
//
// On a machine that does other things compare the CPU time of a delivery, within one run, and not deliveries a second: "others" is how much of a core did not belong to the measurement.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"earshot/node/hub/bench/load"
)

func main() {
	if spec := os.Getenv(loadSpec); spec != "" {
		os.Exit(generate(spec))
	}
	var b bench
	flag.BoolVar(&b.json, "json", false, "print one JSON object a row")
	flag.BoolVar(&b.verbose, "v", false, "tell each run as it ends")
	flag.BoolVar(&b.keep, "keep", false, "keep the folder of the servers, and say where it is")
	quick := flag.Bool("quick", false, "the rows flood, durable, one and idle against nats-server, in less than 50 s")
	flag.IntVar(&b.times, "times", 3, "how often each server is measured")
	only := flag.String("rows", "", "measure these rows alone, by their names with commas between them")
	flag.StringVar(&b.earshot, "earshot", "", "the binary to measure")
	flag.StringVar(&b.gohub, "gohub", "", "the bare broadcaster")
	flag.StringVar(&b.barehub, "barehub", "", "the bare hub")
	began := flag.Int64("began", time.Now().Unix(), "when run was started, in seconds since 1970")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	rows := append(table, growth()...)
	if *quick {
		rows, b.until, b.times = brief, time.Unix(*began, 0).Add(44*time.Second), 5
	}
	if *only != "" {
		rows = named(rows, strings.Split(*only, ","))
	}
	if err := b.run(ctx, rows); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// loadSpec is the environment variable that makes a process the load generator.
const loadSpec = "EARSHOT_BENCH_LOAD"

// generate makes one run of load and prints its result.
func generate(spec string) int {
	var s load.Spec
	err := json.Unmarshal([]byte(spec), &s)
	var r load.Result
	if err == nil {
		r, err = load.Run(s)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
