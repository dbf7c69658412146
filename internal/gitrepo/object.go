package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
)

// Kind is the type of an object.
type Kind string

// The kinds of objects that hold text of people.
const (
	Blob   Kind = "blob"
	Commit Kind = "commit" // its message
	Tag    Kind = "tag"
)

// Object is one object of the repository.
type Object struct {
	ID   string
	Kind Kind
	Path string // of a blob, where it was met first; of a tag its name
	Size int64  // in bytes; 0 where nobody asked
}

// submodule is the mode of an entry that is a commit elsewhere.
const submodule = "160000"

// Staged returns the blobs that the next commit brings: of the index, not of the work tree.
func (r *Repo) Staged(ctx context.Context) ([]Object, error) {
	said, err := r.output(ctx, "diff", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv", "--diff-filter=ACMT")
	if err != nil {
		return nil, err
	}
	var all []Object
	words := fields(said)
	for i := 0; i+1 < len(words); i += 2 { // ":100644 100644 <old> <new> M", path
		about := strings.Fields(words[i])
		if len(about) < 5 {
			return nil, fmt.Errorf("git diff: %q is nothing that was expected", words[i])
		}
		if about[1] != submodule {
			all = append(all, Object{ID: about[3], Kind: Blob, Path: words[i+1]})
		}
	}
	return all, nil
}

// Reachable returns the blobs, commits and tags that these revisions reach, each once: `--all`, `A..B`, a commit, `--not`.
// Revisions that came from a person are to be checked by Range first.
func (r *Repo) Reachable(ctx context.Context, revisions ...string) ([]Object, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	listing, err := r.start(ctx, nil, append([]string{"rev-list", "--objects"}, revisions...)...)
	if err != nil {
		return nil, err
	}
	asking, err := r.start(ctx, listing.out, "cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize) %(rest)", "--buffer")
	if err != nil {
		cancel()
		return nil, errors.Join(err, listing.wait())
	}
	var all []Object
	lines := bufio.NewReader(asking.out)
	var wrong error
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // wait says why, if not because it is over
		}
		o, err := parseObject(strings.TrimSuffix(line, "\n"))
		if err != nil {
			wrong = err
			cancel()
			break
		}
		if o.Kind == Blob || o.Kind == Commit || o.Kind == Tag {
			all = append(all, o)
		}
	}
	// The one that asks reads the other's output to its end, so it ends first.
	if err := errors.Join(wrong, asking.wait(), listing.wait()); err != nil {
		return nil, err
	}
	return all, nil
}

// parseObject reads "<id> blob 12 a/b c".
func parseObject(line string) (Object, error) {
	parts := strings.SplitN(line, " ", 4)
	if len(parts) >= 2 && parts[1] == "missing" { // of a partial clone; reading it says so once more
		return Object{ID: parts[0], Kind: Blob}, nil
	}
	if len(parts) < 3 {
		return Object{}, fmt.Errorf("git cat-file: %q is nothing that was expected", line)
	}
	size, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return Object{}, fmt.Errorf("git cat-file: %q is nothing that was expected", line)
	}
	o := Object{ID: parts[0], Kind: Kind(parts[1]), Size: size}
	if len(parts) == 4 {
		o.Path = parts[3]
	}
	return o, nil
}

// ErrMissing is the answer for an object that is not on this machine.
var ErrMissing = errors.New("is not in this clone")

// share is how many objects a reader takes at once: their names fit into a pipe, so that neither side waits for the other.
const share = 500

// Read hands the content of every object to each, which need not read all of it. As many goroutines as workers call it, each
// with objects that stand one after the other. What git does not have is read as ErrMissing. An error of each ends it.
func (r *Repo) Read(ctx context.Context, objects []Object, workers int, each func(Object, io.Reader) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	shares := make(chan []Object)
	var running sync.WaitGroup
	for range min(workers, len(objects)/share+1) {
		running.Go(func() {
			if err := r.serve(ctx, shares, each); err != nil {
				cancel(err)
			}
		})
	}
	for len(objects) > 0 && ctx.Err() == nil {
		n := min(share, len(objects))
		select {
		case shares <- objects[:n]:
			objects = objects[n:]
		case <-ctx.Done():
		}
	}
	close(shares)
	running.Wait()
	return context.Cause(ctx)
}

// serve reads shares of objects from one process.
func (r *Repo) serve(ctx context.Context, shares <-chan []Object, each func(Object, io.Reader) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ask, names := io.Pipe()
	git, err := r.start(ctx, ask, "cat-file", "--batch")
	if err != nil {
		return err
	}
	from := bufio.NewReaderSize(git.out, 64<<10)
	for objects := range shares {
		go func() {
			for _, o := range objects {
				if _, err := io.WriteString(names, o.ID+"\n"); err != nil {
					return // git is gone, and reading says so
				}
			}
		}()
		for _, o := range objects {
			if err := readOne(from, o, each); err != nil {
				cancel()
				_ = ask.Close() // what still writes ends
				_ = git.wait()  // it was ended by us, or what it says is the error already
				return err
			}
		}
	}
	return errors.Join(names.Close(), git.wait())
}

// readOne reads "<id> blob 12\n", the content and a line break.
func readOne(from *bufio.Reader, o Object, each func(Object, io.Reader) error) error {
	line, err := from.ReadString('\n')
	if err != nil {
		return fmt.Errorf("git cat-file ended before %s: %w", o.ID, err)
	}
	found, err := parseObject(strings.TrimSuffix(line, "\n"))
	if err != nil {
		return err
	}
	if strings.HasSuffix(line, " missing\n") {
		return each(o, missing{})
	}
	content := &io.LimitedReader{R: from, N: found.Size}
	if o.Size, o.Kind = found.Size, found.Kind; o.Kind == "" {
		o.Kind = Blob
	}
	if err := each(o, content); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, content); err != nil {
		return fmt.Errorf("read object %s: %w", o.ID, err)
	}
	_, err = from.Discard(1)
	return err
}

type missing struct{}

func (missing) Read([]byte) (int, error) { return 0, ErrMissing }
