package plain

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"earshot/node"
	"earshot/node/message"
)

// exportPage is how many messages are read at once, and so are in memory.
const exportPage = 500

// A Source has the history of rooms: *node.Node.
type Source interface {
	After(room string, k node.Key, max int) ([]node.Message, error)
}

// Export writes all that is held of a room to a file and says where: as lines for people or, where the name ends in .jsonl, as the objects of --json. Without a name, or with that of a
// folder, it makes one of room and day. It overwrites nothing, and leaves no part of a file behind. Only the user can open the file. Errors are *node.Error.
func Export(ctx context.Context, from Source, room, name string) (answer string, err error) {
	path, err := exportPath(room, name, time.Now())
	if err != nil {
		return "", unwritten(path, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", unwritten(path, err)
	}
	n, err := exportTo(ctx, f, from, room, strings.EqualFold(filepath.Ext(path), ".jsonl"))
	if err = errors.Join(err, f.Close()); err == nil && n == 0 {
		err = &node.Error{Text: "nothing was said in " + room + " yet", Hint: "no file was written"}
	}
	if err != nil {
		os.Remove(path)
		return "", unwritten(path, err)
	}
	return fmt.Sprintf("wrote %s of %s to %s", messages(n), room, path), nil
}

// exportPath is where the file is to be. The shell is not there to make something of ~.
func exportPath(room, name string, now time.Time) (string, error) {
	if rest, ok := strings.CutPrefix(name, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		home, err := os.UserHomeDir()
		if err != nil {
			return name, err
		}
		name = home + rest
	}
	if info, err := os.Stat(name); name == "" || err == nil && info.IsDir() {
		room = strings.Map(func(r rune) rune {
			if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) { // what some system allows in no name
				return '-'
			}
			return r
		}, strings.TrimLeft(room, "#@."))
		name = filepath.Join(name, "earshot-"+room+now.Format("-2006-01-02.txt"))
	}
	return filepath.Abs(name)
}

// exportTo writes the messages of a room, the oldest first, and counts them.
func exportTo(ctx context.Context, to io.Writer, from Source, room string, json bool) (n int, err error) {
	p := &printer{Config: Config{Out: bufio.NewWriterSize(to, 64<<10), JSON: json}, room: room}
	for k := (node.Key{}); ; {
		page, err := from.After(room, k, exportPage)
		if err = errors.Join(err, ctx.Err()); err != nil {
			return n, err
		}
		for _, m := range page {
			if !json {
				m.Again = message.ID{} // what it says again does not stand above
			}
			if err := p.print(node.Said{Message: m, History: true}); err != nil {
				return n, err
			}
			k = m.Key
		}
		if n += len(page); len(page) < exportPage {
			return n, p.Out.(*bufio.Writer).Flush()
		}
	}
}

func unwritten(path string, err error) error {
	e := &node.Error{Text: "the history was not written: " + err.Error(), Hint: "give another file: /export FILE"}
	switch said := (*node.Error)(nil); {
	case errors.As(err, &said):
		return said
	case errors.Is(err, fs.ErrExist):
		e.Text = path + " is there already, and stays as it is"
	case errors.Is(err, fs.ErrNotExist):
		e.Text = "there is no folder " + filepath.Dir(path)
	case errors.Is(err, fs.ErrPermission):
		e.Text = "you may not write to " + filepath.Dir(path)
	}
	return e
}

func messages(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}
