package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/term"

	"earshot/node"
	"earshot/node/identity"
	"earshot/ui/look"
)

// unnamed is the closed network that earshot key means where no name is given.
const unnamed = "private"

// key runs "earshot key …". What is asked for goes to stdout, what to do next to stderr: earshot key new office | ssh host earshot key join office
func key(o *options, words []string) error {
	verbs := []string{"new", "join", "show", "list", "rotate", "forget"}
	if len(words) == 0 {
		return usage("earshot key needs to know what to do", "earshot key new|join|show|list|rotate|forget [NAME]; earshot --help says more")
	}
	verb, words := words[0], words[1:]
	if !slices.Contains(verbs, verb) {
		return usage(fmt.Sprintf("there is no earshot key %s", verb), nearestHint("earshot key ", verb, verbs))
	}
	switch {
	case len(words) > 1:
		return usage(fmt.Sprintf("earshot key %s takes one name at most", verb), "")
	case len(words) == 1 && verb == "list":
		return usage("earshot key list takes no name", "earshot key show "+words[0]+" prints the key of that network")
	}
	dir, err := o.data()
	if err != nil {
		return err
	}
	keys := identity.OpenKeys(filepath.Join(dir, "keys"))
	if verb == "list" {
		return keyList(o, keys)
	}
	name := o.network
	switch {
	case len(words) == 1:
		name = words[0]
	case verb == "forget":
		return usage("earshot key forget needs the network's name", "earshot key list shows which there are")
	case name == lobby:
		name = unnamed
	}
	if name, err = networkName(name); err != nil {
		return err
	}
	switch verb {
	case "new":
		return keyNew(keys, name)
	case "rotate":
		return rotate(o, keys, name)
	case "join":
		return keyJoin(keys, name, o.keyFile)
	case "show":
		return keyShow(keys, name, o.qr)
	default:
		return keyForget(keys, name)
	}
}

func keyNew(keys identity.Keys, name string) error {
	if name == lobby {
		return usage("the lobby is the open network, for everyone without a key", "give the closed one another name: earshot key new office")
	}
	key := identity.NewKey()
	if err := store(keys, name, key); err != nil {
		return err
	}
	if err := printLine(identity.FormatKey(key)); err != nil {
		return failure(err.Error(), "the key is stored: earshot key show "+name+" prints it")
	}
	fmt.Fprintf(os.Stderr, "This is the key of the network %[1]q, now stored on this machine. Who has it can join and read.\n"+
		"on each other machine:  earshot key join %[1]s\nthen, on all of them:   earshot --network %[1]s\n", name)
	return nil
}

// store keeps the key, but never in the place of another.
func store(keys identity.Keys, name, key string) error {
	err := keys.Put(name, key)
	if errors.Is(err, fs.ErrExist) {
		return failure(fmt.Sprintf("there is another key for the network %q already", name),
			fmt.Sprintf("earshot key show %[1]s prints it; earshot key forget %[1]s deletes it", name))
	}
	return err
}

func keyJoin(keys identity.Keys, name, file string) error {
	if name == lobby {
		return usage("the lobby is the open network, for everyone without a key", "use the name that the key was made for")
	}
	if file == "" {
		file = "-"
	}
	key, err := readKey(file)
	if err != nil {
		return err
	}
	if err := store(keys, name, key); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "the key of %[1]q is stored; take part with: earshot --network %[1]s\n", name)
	return nil
}

func keyShow(keys identity.Keys, name string, qr bool) error {
	key, err := keys.Get(name)
	if err != nil {
		return noKey(name, err)
	}
	code := ""
	if qr {
		if code, err = look.PrintQR(key, term.IsTerminal(int(os.Stdout.Fd()))); err != nil {
			return err
		}
	}
	return printLine(code + identity.FormatKey(key))
}

func keyList(o *options, keys identity.Keys) error {
	names, err := keys.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := printLine(printable(name)); err != nil {
			return err
		}
		if p := progress(o, keys, name); p != nil {
			fmt.Fprintf(os.Stderr, "rotation of %s: %s\n", printable(name), printable(p.String()))
		}
	}
	if len(names) == 0 {
		fmt.Fprintln(os.Stderr, "no keys yet; earshot key new NAME makes one, earshot key join NAME takes over somebody's")
	}
	return nil
}

func keyForget(keys identity.Keys, name string) error {
	err := keys.Forget(name)
	if errors.Is(err, identity.ErrNoKey) {
		return failure(withoutKey(name), "earshot key list shows which there are")
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "the key of %q is gone from this machine; other machines keep theirs\n", name)
	return nil
}

// progress is how far a change of the key is; nil: there is none that is not done, as far as can be read.
func progress(o *options, keys identity.Keys, name string) *node.Progress {
	dir, err := o.profileDir()
	if err != nil {
		return nil
	}
	key, err := keys.Get(name)
	if err != nil {
		return nil
	}
	network, err := identity.NewNetwork(name, []byte(key))
	if err != nil {
		return nil
	}
	p, _ := node.ProgressOf(dir, network)
	return p
}

// noKey says what to do where no key is stored.
func noKey(name string, err error) error {
	if !errors.Is(err, identity.ErrNoKey) {
		return err
	}
	return failure(withoutKey(name), fmt.Sprintf("earshot key new %[1]s makes one, earshot key join %[1]s takes over the one somebody gave you", name))
}

func withoutKey(name string) string {
	return fmt.Sprintf("there is no key for the network %q on this machine", name)
}

// readKey reads a key from a file that others cannot read, or from stdin where file is "-": typed without an echo where that is a terminal.
func readKey(file string) (string, error) {
	stdin := int(os.Stdin.Fd())
	if file != "-" || !term.IsTerminal(stdin) {
		key, err := identity.ReadKeyFile(file)
		if unread := (*fs.PathError)(nil); errors.As(err, &unread) && !errors.Is(err, fs.ErrPermission) {
			return "", failure(err.Error(), "--key-file takes the name of a file that holds the key; where there is none, earshot key join asks for it")
		}
		return key, err
	}
	// Not term.ReadPassword: it stops the echo only after the prompt was printed, and a key that is pasted at once is shown.
	state, err := term.MakeRaw(stdin)
	if err != nil {
		return "", fmt.Errorf("read key: %w", err)
	}
	typed, err := term.NewTerminal(terminal{os.Stdin, os.Stderr}, "").ReadPassword("key (it is not shown): ")
	if err := errors.Join(err, term.Restore(stdin, state)); errors.Is(err, io.EOF) { // Ctrl-C, Ctrl-D
		return "", failure("no key was given", "")
	} else if err != nil {
		return "", fmt.Errorf("read key: %w", err)
	}
	return identity.ParseKey(typed)
}

// terminal is typed on and printed to.
type terminal struct {
	io.Reader
	io.Writer
}

// noKeys refuses a key among the arguments, where the shell's history and every user of this machine can read it. It is not repeated.
func noKeys(args []string) error {
	for i, arg := range args {
		if strings.HasPrefix(arg, "-") { // dashes may stand in a key, so --plain --profile … reads like one
			_, arg, _ = strings.Cut(arg, "=")
		}
		_, err := identity.ParseKey(arg)
		if err == nil || isGroups(args[i:]) {
			return usage("a key was given as an argument: it now stands in the history of the shell, and others could read it meanwhile",
				"make a new key with earshot key new; keys are read from stdin, from --key-file or at a prompt")
		}
	}
	return nil
}

// isGroups reports whether args begin with a key in its groups of four.
func isGroups(args []string) bool {
	const groups = 7
	if len(args) < groups {
		return false
	}
	for _, a := range args[:groups-1] {
		if len(a) != 4 {
			return false
		}
	}
	_, err := identity.ParseKey(strings.Join(args[:groups], ""))
	return err == nil
}

// unknownWord answers an argument that is no flag.
func unknownWord(word string) error {
	return usage(fmt.Sprintf("there is no command %q", word), wordHint(word))
}

func wordHint(word string) string {
	if strings.ContainsAny(word, ".:") {
		return "to reach a hub by its address: earshot --join " + word
	}
	return nearestHint("earshot ", word, []string{"key", "search", "peers", "doctor", "help", "version"})
}
