package scan

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// Limits bound what one file may make of itself: an archive of a few kilobytes can unpack to more than there is in the world.
// What is beyond them is trouble. Zero values are the usual ones.
type Limits struct {
	Depth   int   // archives in archives; 5
	Entries int   // in one file, archives within it included; 100,000
	Bytes   int64 // unpacked, of one file; 1 GiB
	Held    int64 // of an archive inside another that has to be in memory to be opened (zip); 64 MiB
}

func (l Limits) orUsual() Limits {
	if l.Depth <= 0 {
		l.Depth = 5
	}
	if l.Entries <= 0 {
		l.Entries = 100_000
	}
	if l.Bytes <= 0 {
		l.Bytes = 1 << 30
	}
	if l.Held <= 0 {
		l.Held = 64 << 20
	}
	return l
}

// What the limits refuse.
var (
	errDepth   = errors.New("is too deep inside archives to be opened: its bytes were searched as they are")
	errEntries = errors.New("has too many entries: those after them were not read")
	errBytes   = errors.New("unpacks to too much: what comes after that was not read")
	errHeld    = errors.New("is too large to be opened inside another archive: its bytes were searched as they are")
	errListing = errors.New("has too long a list of entries to be opened: its bytes were searched as they are")
)

// budget is what may still come out of one file.
type budget struct {
	entries int
	bytes   int64
}

// source is the content of what may be an archive: its beginning, what comes after it, and the reader that both come from.
type source struct {
	begin []byte
	rest  io.Reader
	from  io.Reader
}

func (s source) reader() io.Reader { return io.MultiReader(bytes.NewReader(s.begin), s.rest) }

// opener reads an archive. It returns false if that is none after all, and nothing of the source was consumed.
type opener func(v *visit, path, inner string, s source, depth int) bool

// opener returns how to open what begins so, nil if it is no archive. The name matters little: documents, wheels and packages of
// phones are zips too.
func (v *visit) opener(name string, begin []byte) opener {
	switch {
	case v.scanner.Closed:
		return nil
	case bytes.HasPrefix(begin, []byte("PK\x03\x04")):
		return (*visit).zip
	case bytes.HasPrefix(begin, []byte("\x1f\x8b\x08")):
		return (*visit).gzip
	case len(begin) >= 512 && (string(begin[257:262]) == "ustar" || strings.HasSuffix(name, ".tar")):
		return (*visit).tar
	}
	return nil
}

// entry reads one entry of an archive.
func (v *visit) entry(path, inner string, r io.Reader, depth int) {
	if v.left.entries--; v.left.entries < 0 {
		v.failed(path, errEntries)
		return
	}
	v.content(path, inner, &metered{r, &v.left.bytes}, depth)
}

// metered reads no more than may still come out of a file.
type metered struct {
	r    io.Reader
	left *int64
}

func (m *metered) Read(p []byte) (int, error) {
	if *m.left <= 0 {
		// Over is what has more, not what ends here.
		if n, err := m.r.Read(make([]byte, 1)); n == 0 && err != nil {
			return 0, err
		}
		return 0, errBytes
	}
	n, err := m.r.Read(p[:min(int64(len(p)), *m.left)])
	*m.left -= int64(n)
	return n, err
}

func (v *visit) gzip(name, inner string, s source, depth int) bool {
	if _, err := gzip.NewReader(bytes.NewReader(s.begin)); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	unpacked, err := gzip.NewReader(s.reader())
	if err != nil {
		v.trouble(name+inner, err)
		return true
	}
	whole := name + inner
	base := path.Base(whole[strings.LastIndexByte(whole, '!')+1:])
	stem := strings.TrimSuffix(base, path.Ext(base))
	v.entry(whole, "!"+stem, unpacked, depth+1)
	return true
}

func (v *visit) tar(name, _ string, s source, depth int) bool {
	begin := tar.NewReader(bytes.NewReader(s.begin))
	if _, err := begin.Next(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	remainder := s.reader()
	entries := tar.NewReader(remainder)
	for !v.spent {
		header, err := entries.Next()
		switch {
		case errors.Is(err, io.EOF): // what comes after the end is read by nobody, and may be another tar
			v.search(name+"!(rest)", v.buffer(depth+1), 0, remainder)
			return true
		case err != nil:
			v.failed(name, fmt.Errorf("is a damaged tar: %w", err))
			v.plain(name+"!(rest)", v.buffer(depth+1), 0, remainder) // offsets count from the damage
			return true
		case header.Typeflag == tar.TypeReg || header.Typeflag == tar.TypeGNUSparse || header.Typeflag == tar.TypeCont:
			v.entry(name+"!"+header.Name, "", entries, depth+1)
		case header.Linkname != "":
			v.search(name+"!"+header.Name, v.buffer(depth+1), 0, strings.NewReader(header.Linkname))
		}
	}
	return true
}

func (v *visit) zip(name, inner string, s source, depth int) bool {
	name += inner
	at, size, err := v.atRandom(s, depth)
	if err != nil {
		v.trouble(name, err)
		if len(at.held) > 0 {
			v.plain(name, v.buffer(depth+1), 0, io.MultiReader(bytes.NewReader(at.held), s.rest))
			return true
		}
		return false
	}
	entries, err := zip.NewReader(at, size)
	if err != nil {
		v.trouble(name, fmt.Errorf("is a damaged zip, whose bytes were searched as they are: %w", at.why(err)))
		if len(at.held) > 0 {
			v.plain(name, v.buffer(depth+1), 0, bytes.NewReader(at.held))
			return true
		}
		return false
	}
	at.listed = true
	if entries.Comment != "" {
		v.search(name+"!(comment)", v.buffer(depth+1), 0, strings.NewReader(entries.Comment))
	}
	for _, file := range entries.File {
		if v.spent {
			break
		}
		if !file.Mode().IsRegular() {
			continue
		}
		path := name + "!" + file.Name
		content, err := file.Open()
		if err != nil {
			v.failed(path, err)
			continue
		}
		v.entry(path, "", content, depth+1)
		_ = content.Close() // it was only read
	}
	return true
}

// maxListing bounds the list of a zip's entries, which is in memory as a whole and several times its size there.
const maxListing = 16 << 20

// listing reads a zip anywhere; until it is listed, no more than a list may take.
type listing struct {
	from   io.ReaderAt
	held   []byte // all of it, if it is in memory
	read   int64
	listed bool
}

func (l *listing) ReadAt(p []byte, at int64) (int, error) {
	if l.read += int64(len(p)); !l.listed && l.read > maxListing {
		return 0, errListing
	}
	return l.from.ReadAt(p, at)
}

// why returns errListing if that was the reason; package zip may have put another in its place.
func (l *listing) why(err error) error {
	if l.read > maxListing {
		return errListing
	}
	return err
}

// atRandom makes a source readable anywhere: a file is, what comes out of another archive is held in memory. With an error,
// what was held comes before the source's rest.
func (v *visit) atRandom(s source, depth int) (*listing, int64, error) {
	file, ok := s.from.(interface {
		io.ReaderAt
		Stat() (fs.FileInfo, error)
	})
	if ok && depth == 0 {
		info, err := file.Stat()
		if err != nil {
			return &listing{}, 0, err
		}
		return &listing{from: file}, info.Size(), nil
	}
	held, err := io.ReadAll(io.LimitReader(s.reader(), v.limits.Held+1))
	if err == nil && int64(len(held)) > v.limits.Held {
		err = errHeld
	}
	return &listing{from: bytes.NewReader(held), held: held}, int64(len(held)), err
}
