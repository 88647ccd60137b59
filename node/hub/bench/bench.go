package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"earshot/node/hub/bench/load"
)

// bench is one call of the program.
type bench struct {
	json, verbose, keep bool
	times               int
	until               time.Time // zero: as often as times says; otherwise no round is begun that would not end before it
	earshot             string
	gohub, barehub      string

	ctx      context.Context
	dir      string
	all      map[string]server
	missing  map[string]bool
	results  map[string][]load.Result // by row and column
	progress int
}

// run measures rows and prints them.
func (b *bench) run(ctx context.Context, rows []row) (err error) {
	b.ctx, b.all, b.missing, b.results = ctx, b.servers(), map[string]bool{}, map[string][]load.Result{}
	if b.dir, err = os.MkdirTemp("", "earshot-bench"); err != nil {
		return err
	}
	if b.keep {
		fmt.Fprintln(os.Stderr, "servers run in", b.dir)
	} else {
		defer os.RemoveAll(b.dir)
	}
	if err := b.rounds(rows); err != nil {
		return err
	}
	for i := range rows {
		if b.json {
			b.printJSON(&rows[i])
		}
	}
	if !b.json {
		b.printTable(rows)
	}
	for _, name := range slices.Sorted(maps.Keys(b.missing)) {
		fmt.Fprintf(os.Stderr, "left out, not installed: %s\n", name)
	}
	return nil
}

// rounds measures everything so often, one server after the other.
func (b *bench) rounds(rows []row) error {
	for n := range b.times {
		began := time.Now()
		for i := range rows {
			r := &rows[i]
			if n > 0 && r.once {
				continue
			}
			if r.measure != nil {
				if err := r.measure(b, r); err != nil {
					return err
				}
				continue
			}
			for _, column := range append([]string{"earshot"}, r.beside...) {
				if err := b.measure(r, column); err != nil {
					return err
				}
			}
		}
		if !b.until.IsZero() && time.Now().Add(time.Since(began)).After(b.until) {
			break
		}
	}
	return nil
}

// measure makes one run of one server.
func (b *bench) measure(r *row, column string) error {
	name := column
	if quiet := column + ", nothing kept"; r.quiet && b.all[quiet].program != "" {
		name = quiet
	}
	if !b.all[name].installed() {
		b.missing[column] = true
		return nil
	}
	result, err := b.once(name, r.spec)
	if err != nil && b.ctx.Err() == nil { // one that does not stand something stands other things
		fmt.Fprintf(os.Stderr, "%s, %s: failed: %v\n", r.name, column, err)
		return nil
	}
	if err != nil {
		return err
	}
	b.note(r, column, result)
	return nil
}

// once starts a server, and makes one run of it.
func (b *bench) once(name string, spec load.Spec) (load.Result, error) {
	dir, err := b.folder()
	if err != nil {
		return nil, err
	}
	if !b.keep {
		defer os.RemoveAll(dir)
	}
	s := b.all[name]
	srv, err := s.start(b.ctx, dir)
	if err != nil {
		return nil, err
	}
	defer srv.stop()
	return s.generate(b.ctx, srv, spec)
}

// private compares a private room, whose messages are longer and which the hub cannot read, with a public one.
func (b *bench) private(r *row) error {
	public, err := b.once("earshot, nothing kept", flood(100))
	if err != nil {
		return err
	}
	sealed, err := b.once("earshot, nothing kept", but(flood(100), func(s *load.Spec) { s.Private = true }))
	if err != nil {
		return err
	}
	sealed["share"] = public["cpu_us"] / sealed["cpu_us"]
	b.note(r, "earshot", sealed)
	return nil
}

// folder makes one for a server.
func (b *bench) folder() (string, error) {
	b.progress++
	dir := filepath.Join(b.dir, fmt.Sprint(b.progress))
	return dir, os.Mkdir(dir, 0o700)
}

func (b *bench) note(r *row, column string, result load.Result) {
	if b.verbose {
		one, _ := json.Marshal(result)
		fmt.Fprintf(os.Stderr, "%s, %s: %s\n", r.name, column, one)
	}
	key := r.name + "/" + column
	b.results[key] = append(b.results[key], result)
}

// median is that of a figure; false: there is none.
func (b *bench) median(r *row, column string, f figure) (float64, bool) {
	var all []float64
	for _, result := range b.results[r.name+"/"+column] {
		if v, ok := result[f.key]; ok {
			all = append(all, v*f.scale)
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	return middle(all), true
}

// middle is the median.
func middle(all []float64) float64 {
	slices.Sort(all)
	return (all[len(all)/2] + all[(len(all)-1)/2]) / 2
}

// ratio is how much better earshot is than who it is compared with.
func (b *bench) ratio(r *row, f figure) (float64, bool) {
	ours, ok := b.median(r, "earshot", f)
	theirs, there := b.median(r, r.against, f)
	if !ok || !there || ours == 0 || theirs == 0 {
		return 0, false
	}
	if f.more {
		return ours / theirs, true
	}
	return theirs / ours, true
}

func (b *bench) printJSON(r *row) {
	f := r.figures[0]
	line := map[string]any{"row": r.name}
	for _, c := range columns {
		if v, ok := b.median(r, c, f); ok {
			line[c] = v
		}
	}
	if v, ok := b.ratio(r, f); ok {
		line["ratio"] = v
	}
	json.NewEncoder(os.Stdout).Encode(line)
}

func (b *bench) printTable(rows []row) {
	fmt.Printf("| | %s | ratio | others |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)+3))
	for i := range rows {
		r := &rows[i]
		for _, f := range r.figures {
			fmt.Printf("| %s: %s, %s |", r.what, f.what, f.unit)
			for _, c := range columns {
				cell := "–"
				if v, ok := b.median(r, c, f); ok {
					cell = number(v)
				}
				fmt.Printf(" %s |", cell)
			}
			cell := "–"
			if v, ok := b.ratio(r, f); ok {
				cell = number(v)
			}
			others, _ := b.median(r, "earshot", figure{key: "other_cpu", scale: 1})
			fmt.Printf(" %s | %s |\n", cell, number(others))
		}
	}
}

// number has three digits that count.
func number(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.2f M", v/1e6)
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
