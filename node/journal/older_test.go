package journal

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"earshot/node/journal/search"
	"earshot/node/message"
)

// longForm is r as protocol 1 had it: no flag, and stamps and lengths of 8 and 4 bytes.
func longForm(r *message.Run) []byte {
	none := *r
	none.Records = slices.Clone(r.Records[:1])
	none.Records[0] = message.Record{}
	b := none.Append(nil)
	b = b[:len(b)-len(r.Sig)-2-3] // its one record takes three bytes, the count two
	b[24] &^= 2
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Records)))
	for _, rec := range r.Records {
		b = append(binary.BigEndian.AppendUint64(b, rec.HLC), byte(rec.Kind))
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(rec.Body))), rec.Body...)
	}
	return append(b, r.Sig[:]...)
}

// older makes what lies in dir a store of version 1.
func older(t *testing.T, dir string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, dbFile))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows := make(map[int64][]byte)
	found, err := db.Query("SELECT arrival, data FROM run")
	if err != nil {
		t.Fatal(err)
	}
	for found.Next() {
		var arrival int64
		var data []byte
		if err := found.Scan(&arrival, &data); err != nil {
			t.Fatal(err)
		}
		r, err := message.ParseRun(data)
		if err != nil {
			t.Fatal(err)
		}
		if rows[arrival] = longForm(r); len(rows[arrival]) <= len(data) {
			t.Fatal("it is not longer")
		}
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	for arrival, data := range rows {
		if _, err := db.Exec("UPDATE run SET data=? WHERE arrival=?", data, arrival); err != nil {
			t.Fatal(err)
		}
	}
	setVersion(t, dir, 1)
}

func setVersion(t *testing.T, dir string, version int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, dbFile))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE meta SET value=? WHERE key=?", version, metaVersion); err != nil {
		t.Fatal(err)
	}
}

// A store of version 1 is read, searched, served and continued as it is.
func TestOlderStore(t *testing.T) {
	dir := t.TempDir()
	j := open(t, Config{Dir: dir})
	stop := run(t, j)
	alice := j.NewAuthor(person(t, 1), "alice")
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprint("line ", i))
		say(t, alice, want[i])
	}
	before := heads(t, j)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	older(t, dir)

	r, err := OpenReader(dir, network)
	if err != nil {
		t.Fatal(err)
	}
	q, err := search.Parse("line", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	found, err := r.Search(context.Background(), q, 0, 1000)
	if err != nil || len(found.Hits) != len(want) {
		t.Errorf("beside the owner %d lines are found, %v", len(found.Hits), err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}

	j = open(t, Config{Dir: dir})
	stop = run(t, j)
	if j.Recovered() != "" || !slices.Equal(heads(t, j), before) {
		t.Errorf("heads %v, recovered %q", heads(t, j), j.Recovered())
	}
	say(t, j.NewAuthor(person(t, 2), "bob"), "new")
	want = append(want, "new")
	other := start(t, Config{})
	feed(t, j, other)
	for _, j := range []*Journal{j, other} {
		lines, err := j.Page(lobby, Key{}, 1000)
		if got := texts(t, lines, err); !slices.Equal(got, want) {
			t.Errorf("%d lines, want %d", len(got), len(want))
		}
	}
	checkSums(t, j)
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	// What wrote version 1 would take short records for damage, and refuses the store instead: so does this program one of the next version.
	setVersion(t, dir, schemaVersion+1)
	for range 2 {
		if _, err := Open(Config{Dir: dir, Network: network}); !errors.Is(err, ErrNewer) {
			t.Errorf("opened: %v", err)
		}
		if r, err := OpenReader(dir, network); !errors.Is(err, ErrNewer) {
			t.Errorf("read: %v, %v", r, err)
		}
	}
	setVersion(t, dir, schemaVersion)
	lines, err := start(t, Config{Dir: dir}).Page(lobby, Key{}, 1000)
	if got := texts(t, lines, err); !slices.Equal(got, want) {
		t.Errorf("after all %d lines, want %d", len(got), len(want))
	}
}
