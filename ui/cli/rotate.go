package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"earshot/node"
	"earshot/node/identity"
)

// rotate runs "earshot key rotate": it changes the key of a network for a profile that is not running, and sends nothing. Who is to have the new key is told by the next
// earshot of this profile, for as long as it takes: it would be told by that anyway, because some are always away.
func rotate(o *options, keys identity.Keys, name string) error {
	if name == lobby {
		return usage("the lobby is the open network: it has no key", "")
	}
	ask, err := o.who()
	if err != nil {
		return err
	}
	key, err := keys.Get(name)
	if err != nil {
		return noKey(name, err)
	}
	network, err := identity.NewNetwork(name, []byte(key))
	if err != nil {
		return err
	}
	dir, err := o.profileDir()
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir); err != nil {
		return failure(fmt.Sprintf("this profile has not been in %q yet", name), "earshot key new makes the first key")
	}
	k, err := node.OpenKeyChange(node.Config{Dir: dir, Network: network, Key: func() string { return key }, Log: slog.New(slog.DiscardHandler),
		Succeed: func(old, key string) error { return keys.Succeed(name, old, key) }})
	if errors.Is(err, node.ErrInUse) {
		return failure("earshot is running with this profile", "type /key rotate there")
	}
	if err != nil {
		return err
	}
	defer k.Close()
	in, err := choose(ask, k.Holders, name)
	if err != nil {
		return err
	}
	if err := k.Rotate(in); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%[1]q has a new key. It is handed to each of them as soon as they meet an earshot that has it: earshot --network %[1]s\n", printable(name))
	return nil
}

// who is what the flags say of who is to have a new key.
func (o *options) who() (node.Rotate, error) {
	c := node.Rotate{All: o.all, Only: o.only, Except: o.except, Sure: o.sure}
	if o.all && len(o.only)+len(o.except) > 0 || len(o.only) > 0 && len(o.except) > 0 {
		return c, usage("--all, --only and --except contradict each other", "name who stays, or who is out")
	}
	return c, nil
}

// choose finds out who is to have the new key: by the flags, and where they do not say it by asking.
func choose(ask node.Rotate, list []node.Holder, name string) (in []node.Holder, err error) {
	typed := term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd()))
	lines := bufio.NewReader(os.Stdin)
	if !ask.All && len(ask.Only)+len(ask.Except) == 0 {
		fmt.Fprintf(os.Stderr, "Met in %q:\n", printable(name))
		for _, h := range list {
			fmt.Fprintln(os.Stderr, "  "+holder(h))
		}
		if !typed {
			return nil, usage("who is to have the new key?", "--all, --only NICK, --except NICK, and --yes where nobody is there to be asked")
		}
		fmt.Fprint(os.Stderr, "Who is out? Names, or nothing for nobody: ")
		words, err := answer(lines)
		if err != nil {
			return nil, err
		}
		if ask.Except = strings.FieldsFunc(words, func(r rune) bool { return r == ' ' || r == ',' }); len(ask.Except) == 0 {
			ask.All = true
		}
	}
	in, out, err := ask.Choose(list)
	if err != nil {
		var e *node.Error
		if errors.As(err, &e) {
			return nil, usage(e.Text, e.Hint)
		}
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "to have the new key: %s\nout:                 %s\n", nicks(in), nicks(out))
	if ask.Sure {
		return in, nil
	}
	if !typed {
		return nil, usage("the key is not changed: nobody is there to be asked", "the same with --yes does it")
	}
	fmt.Fprint(os.Stderr, "Change the key? [y/N] ")
	if word, err := answer(lines); err != nil || !slices.Contains([]string{"y", "yes"}, strings.ToLower(word)) {
		return nil, errors.Join(err, failure("the key is not changed", ""))
	}
	return in, nil
}

// answer reads one line.
func answer(lines *bufio.Reader) (string, error) {
	line, err := lines.ReadString('\n')
	if errors.Is(err, io.EOF) && line == "" {
		return "", failure("the key is not changed", "")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimSpace(line), nil
}

// holder is a line of the list of those who were met.
func holder(h node.Holder) string {
	line := printable(h.Nick)
	if h.Verified {
		line = "✓" + line
	}
	if !h.Last.IsZero() {
		line += ", last here " + h.Last.Local().Format(time.DateOnly)
	}
	if h.Ignored {
		line += ", ignored"
	}
	return line
}

func nicks(list []node.Holder) string {
	var out []string
	for _, h := range list {
		out = append(out, printable(h.Nick))
	}
	if len(out) == 0 {
		return "nobody"
	}
	return strings.Join(out, ", ")
}

// people is a flag that names some, by commas, and can be repeated.
func people(to *[]string) func(string) error {
	return func(s string) error {
		names := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' })
		if len(names) == 0 {
			return errors.New("it needs a nick")
		}
		*to = append(*to, names...)
		return nil
	}
}
