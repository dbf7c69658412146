package scan

import (
	"context"
	"io"
	"io/fs"
	"runtime"
	"sync"
)

// Scanner brings a Finder the bytes of trees, files and archives. The zero values of all but Finder are usable.
type Scanner struct {
	Finder   *Finder
	Baseline Baseline

	// Ignored says what to pass over: nothing if it is nil. A folder's answer goes for all that is in it. It is where a command
	// that respects .gitignore puts git's answers (git check-ignore --stdin): nobody else reads those files quite as git does.
	// It is called by one goroutine.
	Ignored func(path string, folder bool) bool

	// Closed leaves archives closed: their bytes are searched as they are.
	Closed bool
	Limits Limits

	// Workers is how many files are read at once, at most GOMAXPROCS, which is also what 0 means.
	Workers int

	idle sync.Pool // of *visit, for Read
}

// Receiver takes what a scan has to say. One goroutine calls it, in the order of the paths, which is the same every time.
type Receiver struct {
	Found    func(Finding) error          // an error ends the scan
	Trouble  func(path string, err error) // what could not be read, or not wholly; nil: not wanted
	Progress func(sofar Totals)           // now and then; nil: not wanted
}

// Totals is how much a scan went through.
type Totals struct {
	Files   int   // and entries of archives
	Bytes   int64 // of them, unpacked
	Trouble int   // what could not be read, or not wholly
}

func (t *Totals) add(more Totals) {
	t.Files += more.Files
	t.Bytes += more.Bytes
	t.Trouble += more.Trouble
}

// Walk goes through a tree such as os.DirFS(root): every regular file of it, but what is in .git (Ignored decides about the rest).
// Symbolic links are not followed: what they point to is in the tree too, or none of its business. What cannot be read is trouble,
// not the end. The error is the context's or Found's.
func (s *Scanner) Walk(ctx context.Context, tree fs.FS, to Receiver) (Totals, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	workers := s.workers()
	queue, jobs := make(chan *batch, 8*workers), make(chan *batch, 8*workers)
	var running sync.WaitGroup
	running.Go(func() {
		defer close(queue)
		defer close(jobs)
		s.list(ctx, tree, func(b *batch) bool {
			select {
			case queue <- b: // has room for no fewer than jobs, so the second never waits for a reader of the first
				jobs <- b
				return true
			case <-ctx.Done():
				return false
			}
		})
	})
	for range workers {
		running.Go(func() {
			v := newVisit(ctx, s)
			for b := range jobs {
				v.batch(tree, b)
			}
		})
	}
	var totals Totals
	for b := range queue {
		<-b.done
		if ctx.Err() != nil {
			continue
		}
		totals.add(b.totals)
		if err := deliver(b.events, to); err != nil {
			cancel(err)
			continue
		}
		if to.Progress != nil {
			to.Progress(totals)
		}
	}
	running.Wait()
	return totals, context.Cause(ctx)
}

func (s *Scanner) workers() int {
	most := runtime.GOMAXPROCS(0)
	if s.Workers <= 0 {
		return most
	}
	return min(s.Workers, most)
}

// Read goes through one stream, such as standard input or a blob of git: archives are opened as in a tree. Many goroutines may read
// at once, each with a Receiver of its own or one that bears it.
func (s *Scanner) Read(ctx context.Context, path string, r io.Reader, to Receiver) (Totals, error) {
	v, ok := s.idle.Get().(*visit)
	if !ok {
		v = newVisit(ctx, s)
	}
	defer s.idle.Put(v)
	v.ctx, v.events, v.totals = ctx, nil, Totals{}
	v.file(path, r)
	if ctx.Err() != nil {
		return v.totals, context.Cause(ctx)
	}
	return v.totals, deliver(v.events, to)
}

// event is a finding, or trouble.
type event struct {
	finding Finding
	path    string
	err     error
}

func deliver(events []event, to Receiver) error {
	for _, e := range events {
		switch {
		case e.err == nil:
			if err := to.Found(e.finding); err != nil {
				return err
			}
		case to.Trouble != nil:
			to.Trouble(e.path, e.err)
		}
	}
	return nil
}

// batch is some files that stand one after the other, and what was found there, good once done is closed. Most files are small:
// handing over one at a time would cost more than reading it.
type batch struct {
	files  []listed
	events []event
	totals Totals
	done   chan struct{}
}

const batchSize = 32

// listed is a file, or why it could not be listed.
type listed struct {
	path string
	err  error
}

// list hands every file to send, in lexical order, until that returns false.
func (s *Scanner) list(ctx context.Context, tree fs.FS, send func(*batch) bool) {
	next := &batch{done: make(chan struct{})}
	add := func(file listed) error {
		next.files = append(next.files, file)
		if len(next.files) < batchSize {
			return nil
		}
		full := next
		next = &batch{done: make(chan struct{})}
		if !send(full) {
			return fs.SkipAll
		}
		return nil
	}
	err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return fs.SkipAll
		case err != nil:
			return add(listed{path, err})
		case entry.IsDir():
			if entry.Name() == ".git" || path != "." && s.ignores(path, true) {
				return fs.SkipDir
			}
			return nil
		case !entry.Type().IsRegular() || s.ignores(path, false):
			return nil
		}
		return add(listed{path: path})
	})
	if err != nil {
		next.files = append(next.files, listed{".", err})
	}
	if len(next.files) > 0 {
		send(next)
	}
}

func (s *Scanner) ignores(path string, folder bool) bool {
	return s.Ignored != nil && s.Ignored(path, folder)
}
