package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Print prints to stdout. A reader that has gone (earshot --help | head -1) is no failure.
func Print(print func(io.Writer) error) error {
	if err := print(os.Stdout); err != nil && !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func printLine(line string) error {
	return Print(func(w io.Writer) error { _, err := fmt.Fprintln(w, line); return err })
}

// PrintJSON prints each value in a line of its own, for scripts: what is < stays <, to be found by grep.
func PrintJSON[T any](w io.Writer, values ...T) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, v := range values {
		if err := e.Encode(v); err != nil {
			return err
		}
	}
	return nil
}
