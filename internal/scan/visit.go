package scan

import (
	"context"
	"errors"
	"io"
	"io/fs"
)

// visit reads files one after the other, for one goroutine.
type visit struct {
	ctx     context.Context // a visit is one goroutine's part of one scan
	scanner *Scanner
	limits  Limits
	window  window
	buffers [][]byte // one for every archive that is open, and one for what is in it

	events []event
	totals Totals

	top   string // the file that is read, whatever archive in it
	left  budget // what it may still unpack to
	spent bool   // it would have been more
}

func newVisit(ctx context.Context, s *Scanner) *visit {
	return &visit{ctx: ctx, scanner: s, limits: s.Limits.orUsual(), window: usual()}
}

func (v *visit) batch(tree fs.FS, b *batch) {
	defer close(b.done)
	v.events, v.totals = nil, Totals{}
	for _, file := range b.files {
		if v.ctx.Err() != nil {
			return
		}
		if file.err != nil {
			v.trouble(file.path, file.err)
			continue
		}
		f, err := tree.Open(file.path)
		if err != nil {
			v.trouble(file.path, err)
			continue
		}
		v.file(file.path, f)
		_ = f.Close() // it was only read
	}
	b.events, b.totals = v.events, v.totals
}

func (v *visit) trouble(path string, err error) {
	v.totals.Trouble++
	v.events = append(v.events, event{path: path, err: err})
}

// file reads one file of the tree.
func (v *visit) file(path string, r io.Reader) {
	v.top, v.left, v.spent = path, budget{v.limits.Entries, v.limits.Bytes}, false
	v.content(path, "", r, 0)
}

// content reads what is called path. Within a compressed file, inner is what to add to that name unless it is a tar: the entries
// of `a.tgz` are `a.tgz!b`.
func (v *visit) content(path, inner string, r io.Reader, depth int) {
	buf := v.buffer(depth)
	n, err := fill(cancelled{v.ctx, r}, buf)
	if err != nil && !errors.Is(err, io.EOF) && n == 0 {
		v.failed(path+inner, err)
		return
	}
	rest := r
	if err != nil {
		rest = failing{err}
	}
	open := v.opener(path+inner, buf[:n])
	switch {
	case open == nil:
	case depth >= v.limits.Depth:
		v.trouble(path+inner, errDepth)
	case open(v, path, inner, source{buf[:n], rest, r}, depth):
		return
	}
	v.plain(path+inner, buf, n, rest)
}

// plain searches what is no archive, or could not be opened as one: buf[:n] and then rest.
func (v *visit) plain(path string, buf []byte, n int, rest io.Reader) {
	v.totals.Files++
	v.search(path, buf, n, rest)
}

// search is plain for what is no file of its own.
func (v *visit) search(path string, buf []byte, n int, rest io.Reader) {
	total, err := v.scanner.Finder.stream(cancelled{v.ctx, rest}, buf, n, v.window, func(f Finding) error {
		f.Path = path
		f.Known = v.scanner.Baseline.Has(f)
		v.events = append(v.events, event{finding: f})
		return nil
	})
	v.totals.Bytes += total
	if err != nil {
		v.failed(path, err)
	}
}

// failed notes why something was not read to its end; what went beyond the limits once for the whole file.
func (v *visit) failed(path string, err error) {
	if errors.Is(err, errBytes) || errors.Is(err, errEntries) {
		if v.spent {
			return
		}
		v.spent = true
		path = v.top
	}
	v.trouble(path, err)
}

func (v *visit) buffer(depth int) []byte {
	for len(v.buffers) <= depth {
		v.buffers = append(v.buffers, make([]byte, v.window.size))
	}
	return v.buffers[depth]
}

// cancelled ends a reader with its context.
type cancelled struct {
	ctx context.Context // it is what this type is about
	r   io.Reader
}

func (c cancelled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// failing is what is left of a reader that has ended.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
