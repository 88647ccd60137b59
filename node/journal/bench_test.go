package journal

import (
	"context"
	"fmt"
	"testing"
	"time"

	"earshot/node/message"
)

// written returns n messages of 100 bytes in runs of size, from ten logs.
func written(t testing.TB, n, size int) (runs []*message.Run) {
	t.Helper()
	author := person(t, 1)
	now := uint64(time.Now().UnixMilli()) << 16
	body := make([]byte, 100)
	for l := range 10 {
		o := &message.Opening{Network: network, Room: lobby, Name: message.Lobby, Author: author.ID(), Nonce: message.Nonce{byte(l)}, Day: dayOf(int64(now >> 16)), Nick: "alice"}
		var prev message.Hash
		for first := 1; first <= n/10; first += size {
			r := &message.Run{Log: o.Log(), First: uint64(first), Prev: prev}
			if first == 1 {
				r.Opening = o
			}
			for i := range size {
				r.Records = append(r.Records, message.Body(now+uint64(10*(first+i)+l), message.Text, body))
			}
			r.Sign(author)
			hashes := r.Hashes()
			prev = hashes[len(hashes)-1]
			runs = append(runs, r)
		}
	}
	return runs
}

// settle waits until everything is on disk.
func settle(t testing.TB, j *Journal) {
	t.Helper()
	for {
		j.mu.RLock()
		saved, closed, news := j.saved >= j.edits, j.closed, j.news
		j.mu.RUnlock()
		switch {
		case closed:
			t.Fatal(ErrClosed)
		case saved:
			return
		}
		<-news
	}
}

// BenchmarkAppend takes history in and commits it. "verify" is what of that checking signatures and hashing takes.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{256, 1} {
		for _, dir := range []bool{true, false} {
			b.Run(fmt.Sprintf("records=%d/disk=%v", size, dir), func(b *testing.B) {
				runs := written(b, 20480, size)
				messages := 0
				for b.Loop() {
					c := Config{}
					if dir {
						c.Dir = b.TempDir()
					}
					j := open(b, c)
					stop := run(b, j)
					for _, r := range runs {
						n, err := j.Append(context.Background(), r, 1, Live)
						if err != nil {
							b.Fatal(err)
						}
						messages += n
					}
					settle(b, j)
					b.StopTimer()
					stop()
					b.StartTimer()
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(messages), "µs/message")
				author := person(b, 1).ID()
				t := time.Now()
				for _, r := range runs {
					if _, err := r.Verify(author); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(time.Since(t).Microseconds())/float64(len(runs)*size), "µs-verify/message")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// BenchmarkWrite writes a message and waits until it is on disk: a commit each.
func BenchmarkWrite(b *testing.B) {
	j := start(b, Config{Dir: b.TempDir()})
	a := j.NewAuthor(person(b, 1), "alice")
	for b.Loop() {
		if _, _, _, err := a.Write(context.Background(), message.Public, lobby, message.Lobby, message.Text, []byte("hello")); err != nil {
			b.Fatal(err)
		}
		settle(b, j)
	}
}

func BenchmarkPage(b *testing.B) {
	for _, size := range []int{256, 1} {
		b.Run(fmt.Sprintf("records=%d", size), func(b *testing.B) {
			j := start(b, Config{Dir: b.TempDir()})
			for _, r := range written(b, 20480, size) {
				if _, err := j.Append(context.Background(), r, 1, Live); err != nil {
					b.Fatal(err)
				}
			}
			if err := j.settle(); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if lines, err := j.Page(lobby, Key{}, 50); err != nil || len(lines) != 50 {
					b.Fatal(len(lines), err)
				}
			}
		})
	}
}

func BenchmarkAll(b *testing.B) {
	j := start(b, Config{Dir: b.TempDir()})
	for _, r := range written(b, 20480, 1) {
		if _, err := j.Append(context.Background(), r, 1, Live); err != nil {
			b.Fatal(err)
		}
	}
	n := 0
	for b.Loop() {
		for _, err := range j.All(0) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/line")
}

func BenchmarkServe(b *testing.B) {
	j := start(b, Config{Dir: b.TempDir()})
	runs := written(b, 20480, 1)
	for _, r := range runs {
		if _, err := j.Append(context.Background(), r, 1, Live); err != nil {
			b.Fatal(err)
		}
	}
	n := 0
	for b.Loop() {
		for data, err := range j.Serve(runs[0].Log, 1) {
			r, _ := message.ParseRun(data)
			if err != nil {
				b.Fatal(err)
			}
			n += len(r.Records)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/message")
}

// BenchmarkAppendSealed takes in what is sealed, message by message, and commits it: what is this person's, and what it keeps for others; the vault itself takes next to nothing.
func BenchmarkAppendSealed(b *testing.B) {
	const n = 2048
	source := start(b, Config{Vault: newVault(1)})
	a := source.NewAuthor(person(b, 1), "alice")
	for range n {
		whisper(b, a, message.Text, make([]byte, 100))
	}
	runs := runsOf(b, source)
	for _, own := range []bool{true, false} {
		b.Run(fmt.Sprintf("own=%v", own), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				v := newVault(1)
				v.own = own
				j := open(b, Config{Dir: b.TempDir(), Vault: v})
				stop := run(b, j)
				b.StartTimer()
				for _, r := range runs {
					if _, err := j.Append(context.Background(), r, 1, Live); err != nil {
						b.Fatal(err)
					}
				}
				settle(b, j)
				b.StopTimer()
				stop()
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/message")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkReopen asks whether something is closed in a group of 10,240 messages where nothing is.
func BenchmarkReopen(b *testing.B) {
	j := start(b, Config{Dir: b.TempDir(), Vault: newVault(1)})
	for i := range 16 {
		a := j.NewAuthor(person(b, byte(i)), "a")
		for range 640 {
			whisper(b, a, message.Text, make([]byte, 100))
		}
	}
	settle(b, j)
	for b.Loop() {
		if rows, err := j.store.notOpen(conversation); err != nil || len(rows) > 0 {
			b.Fatal(len(rows), err)
		}
	}
}

// fillIn waits until everything is indexed.
func fillIn(t testing.TB, j *Journal) {
	t.Helper()
	if _, err := j.Page(lobby, Key{}, 1); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkRedact deletes 5,000 of 40,000 messages, 250 with each redaction, and looks up what became of them as they are told.
func BenchmarkRedact(b *testing.B) {
	for _, size := range []int{256, 1} {
		b.Run(fmt.Sprintf("records=%d", size), func(b *testing.B) {
			runs := written(b, 40960, size)
			for b.Loop() {
				b.StopTimer()
				j := open(b, Config{Dir: b.TempDir()})
				stop := run(b, j)
				var refs []message.Ref
				for _, r := range runs {
					if _, err := j.Append(context.Background(), r, 1, Live); err != nil {
						b.Fatal(err)
					}
					for i, h := range r.Hashes() {
						refs = append(refs, message.Ref{Log: r.Log, Seq: r.First + uint64(i), ID: h.ID()})
					}
				}
				settle(b, j)
				fillIn(b, j)
				a := j.NewAuthor(person(b, 1), "alice")
				b.StartTimer()
				for range 20 {
					tell(b, a, message.Redact, message.About{Refs: refs[:250]})
					if l, err := j.FindAll(refs[:250]); err != nil || len(l) != 250 || !l[249].Marks.Redacted {
						b.Fatal(len(l), err)
					}
					refs = refs[250:]
				}
				settle(b, j)
				fillIn(b, j)
				b.StopTimer()
				stop()
				b.StartTimer()
			}
		})
	}
}
