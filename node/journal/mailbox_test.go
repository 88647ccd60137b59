package journal

import (
	"context"
	"encoding/binary"
	"io/fs"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"earshot/node/message"
)

// BenchmarkMailboxes tells what the conversations of others cost a hub: 1,000 of them, in each of which both said a line on each of ten days, sealed for both (2,608 bytes). It opens such a
// store, and tells what memory that takes, and the disk beside the bodies.
func BenchmarkMailboxes(b *testing.B) {
	const mailboxes, days, size = 1000, 10, 2608
	dir := b.TempDir()
	j := open(b, Config{Dir: dir, Tail: 1 << 20})
	stop := run(b, j)
	for i := range mailboxes {
		for d := range uint32(days) {
			for who := range byte(2) {
				c := newChain(b, who+byte(i%50)*2, today()-d).in(message.GroupID{1, byte(i), byte(i >> 8)})
				binary.BigEndian.PutUint32(c.opening.Nonce[4:], uint32(i)*days+d)
				body := make([]byte, size)
				binary.BigEndian.PutUint64(body, uint64(i)<<32|uint64(d)<<8|uint64(who))
				c.records = append(c.records, message.Body(uint64(c.opening.Day)*86_400_000<<16, message.Sealed, body))
				if _, err := j.Append(context.Background(), c.run(1, 1), 1, Live); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	settle(b, j)
	if err := stop(); err != nil {
		b.Fatal(err)
	}
	disk := int64(0)
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && filepath.Base(path) == dbFile {
			var info fs.FileInfo
			if info, err = e.Info(); err == nil {
				disk += info.Size()
			}
		}
		return err
	}); err != nil {
		b.Fatal(err)
	}
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var memory int64
	var took time.Duration
	for b.Loop() {
		before, began := heap(), time.Now()
		j := open(b, Config{Dir: dir})
		took += time.Since(began)
		memory = heap() - before
		if n := len(j.Mailboxes(0)); n != 2*mailboxes {
			b.Fatalf("%d mailboxes", n)
		}
		if err := j.store.close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(memory)/mailboxes, "B/mailbox")
	b.ReportMetric(float64(disk)/(mailboxes*days*2)-size, "disk-B/message")
	b.ReportMetric(took.Seconds()*1000/float64(b.N), "ms-open")
}
