package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode"

	"earshot/node"
	"earshot/ui/plain"
)

// search runs "earshot search …": hits go to stdout, the newest first. As with grep the exit status is 1 where there are none. It takes part in nothing, and
// works beside an earshot that runs.
func search(o *options, words []string) error {
	query := searchQuery(words)
	if query == "" {
		return usage("earshot search needs words to look for", "earshot search fox; earshot search fox from:bob in:#build")
	}
	dir, err := o.profileDir()
	if err != nil {
		return err
	}
	network, _, previous, err := o.joined()
	if err != nil {
		return err
	}
	history, err := node.OpenHistory(dir, network, previous...)
	if errors.Is(err, fs.ErrNotExist) {
		return failure(fmt.Sprintf("there is no history of %q in this profile", network.Name()), "it comes with taking part; --profile and --network say where else to look")
	}
	if err != nil {
		return err
	}
	defer history.Close()
	limit := o.limit
	if limit == 0 {
		limit = maxFound
	}
	found, err := history.Search(context.Background(), query, o.room, limit)
	if err != nil {
		var e *node.Error
		if errors.As(err, &e) {
			return usage(e.Text, e.Hint)
		}
		return err
	}
	more := found.Older != 0 || len(found.Hits) > limit
	found.Hits = found.Hits[:min(limit, len(found.Hits))]
	if err := Print(func(w io.Writer) error {
		out := bufio.NewWriter(w)
		for _, h := range found.Hits {
			line, err := plain.AppendHit(nil, h, o.json)
			if err != nil {
				return err
			}
			out.Write(line) // Flush tells what goes wrong
		}
		return out.Flush()
	}); err != nil {
		return err
	}
	if err := history.Unopened(); err != nil { // the first of them, if there are more
		report(os.Stderr, err)
	}
	switch {
	case len(found.Hits) == 0:
		return failure("nothing was found", "")
	case more:
		fmt.Fprintf(os.Stderr, "these are the newest %d; --limit 0 shows all\n", len(found.Hits))
	}
	return nil
}

// How many hits are printed: without --limit, and with --limit 0: what memory can hold.
const (
	defaultFound = 50
	maxFound     = 1_000_000
)

// searchQuery makes a query of arguments: one that the shell was given in quotes is looked for as it stands.
func searchQuery(words []string) string {
	var parts []string
	for _, w := range words {
		w = strings.TrimSpace(w)
		if strings.ContainsFunc(w, unicode.IsSpace) && !strings.ContainsAny(w, `":`) {
			w = `"` + w + `"`
		}
		if w != "" {
			parts = append(parts, w)
		}
	}
	return strings.Join(parts, " ")
}
