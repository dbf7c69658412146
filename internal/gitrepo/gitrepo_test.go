package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// world is a repository in which tests do as people do.
type world struct {
	*Repo
	t testing.TB
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t}
	dir := t.TempDir()
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com", "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com",
		"GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
	} {
		t.(interface{ Setenv(string, string) }).Setenv(name, value)
	}
	w.Repo = &Repo{Dir: dir}
	w.git("init", "-q", "-b", "main")
	var err error
	if w.Repo, err = Open(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) git(args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = w.Dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *world) write(path, text string) {
	w.t.Helper()
	path = filepath.Join(w.Dir, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) commit(message string, files map[string]string) string {
	w.t.Helper()
	for path, text := range files {
		w.write(path, text)
	}
	w.git("add", "-A")
	w.git("commit", "-q", "--allow-empty", "-m", message)
	return w.git("rev-parse", "HEAD")
}

// texts reads objects and returns "path: content" of each, in order.
func (w *world) texts(objects []Object) []string {
	w.t.Helper()
	var all []string
	var mu sync.Mutex
	err := w.Read(context.Background(), objects, 3, func(o Object, r io.Reader) error {
		text, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if o.Kind == Commit {
			_, after, _ := strings.Cut(string(text), "\n\n")
			text = []byte("message " + after)
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, o.Path+": "+strings.TrimSpace(string(text)))
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func TestOpenRefuses(t *testing.T) {
	t.Setenv("GIT_CEILING_DIRECTORIES", "/")
	if _, err := Open(context.Background(), t.TempDir()); !errors.Is(err, ErrNoRepository) {
		t.Errorf("Open without a repository = %v, want ErrNoRepository", err)
	}
	t.Setenv("PATH", "")
	if _, err := Open(context.Background(), t.TempDir()); !errors.Is(err, ErrNoGit) {
		t.Errorf("Open without git = %v, want ErrNoGit", err)
	}
}

// TestStaged: the index counts, not the work tree; before the first commit too.
func TestStaged(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	staged := func() []string {
		t.Helper()
		objects, err := w.Staged(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return w.texts(objects)
	}
	w.write("a", "one")
	w.write("ü \"b\"\n", "odd")
	if got := staged(); got != nil {
		t.Errorf("with nothing staged: %q", got)
	}
	w.git("add", "-A")
	w.write("a", "of the work tree")
	if got, want := staged(), []string{"a: one", "ü \"b\"\n: odd"}; !slices.Equal(got, want) {
		t.Errorf("before the first commit: %q, want %q", got, want)
	}
	w.git("commit", "-qm", "first")
	w.git("mv", "ü \"b\"\n", "moved")
	w.git("rm", "-q", "--cached", "a")
	w.write("-c", "an option")
	w.git("add", "--", "-c")
	if err := os.Symlink("target", filepath.Join(w.Dir, "link")); err != nil {
		t.Fatal(err)
	}
	w.git("add", "link")
	w.git("-c", "advice.addEmbeddedRepo=false", "update-index", "--add", "--cacheinfo", submodule+",1234567890123456789012345678901234567890,sub")
	if got, want := staged(), []string{"-c: an option", "link: target", "moved: odd"}; !slices.Equal(got, want) {
		t.Errorf("after it: %q, want %q", got, want)
	}
	text, err := w.File(ctx, "moved")
	if string(text) != "odd" || err != nil {
		t.Errorf("File(moved) = %q, %v", text, err)
	}
	if text, err := w.File(ctx, "a"); text != nil || err != nil {
		t.Errorf("File of what is not in the index = %q, %v, want none", text, err)
	}
}

// TestReachable: every blob once, whatever branch it is on and whether it was deleted, and what people wrote in messages.
func TestReachable(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	first := w.commit("first", map[string]string{"a": "one", "dir/same": "one", "gone": "deleted since"})
	w.git("rm", "-q", "gone")
	w.commit("second", map[string]string{"a": "two"})
	w.git("checkout", "-qb", "side", first)
	w.commit("on the side", map[string]string{"side": "three"})
	w.git("tag", "-a", "v1", "-m", "tagged")
	w.git("checkout", "-q", "main")
	w.write("stashed", "four")
	w.git("add", "stashed")
	w.git("stash", "-q")

	all, err := w.Reachable(ctx, "--all")
	if err != nil {
		t.Fatal(err)
	}
	got := w.texts(all)
	for _, want := range []string{"dir/same: one", "a: two", "gone: deleted since", "side: three", "stashed: four", ": message first", ": message on the side"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not among %q", want, got)
		}
	}
	if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "v1: ") && strings.Contains(s, "tagged") }) {
		t.Errorf("the tag is not among %q", got)
	}
	seen := map[string]bool{}
	for _, o := range all {
		if seen[o.ID] {
			t.Errorf("%v is there twice", o)
		}
		seen[o.ID] = true
	}
	for _, tt := range []struct {
		given string
		want  []string
	}{
		{first + "..main", []string{": message second", "a: two"}},
		{"main..side", []string{": message on the side", "side: three"}},
	} {
		revisions, err := w.Range(ctx, tt.given)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := w.Reachable(ctx, revisions...)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.texts(objects); !slices.Equal(got, tt.want) {
			t.Errorf("Reachable(%s) = %q, want %q", tt.given, got, tt.want)
		}
	}
	for _, wrong := range []string{"", "nonsense", "main..nonsense", "--all", "--output=x", "-n1"} {
		if revisions, err := w.Range(ctx, wrong); err == nil {
			t.Errorf("Range(%q) = %q, want an error", wrong, revisions)
		}
	}
	if _, err := w.Reachable(ctx, strings.Repeat("1", 40)); err == nil {
		t.Error("Reachable of what is not there: no error")
	}
}

// TestOrigins: the first commit that has a blob, though others have it later and elsewhere, and what only a merge brought in.
func TestOrigins(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	first := w.commit("first", map[string]string{"old \"name\"": "secret"})
	w.git("mv", "old \"name\"", "new")
	w.commit("second", map[string]string{"copy": "secret", "other": "x"})
	w.git("checkout", "-qb", "side", first)
	w.commit("on the side", map[string]string{"side": "three"})
	w.git("checkout", "-q", "main")
	w.git("merge", "-q", "--no-commit", "side")
	merge := w.commit("merge", map[string]string{"evil": "only here"})
	blob := func(text string) string {
		w.write("probe", text)
		defer func() { _ = os.Remove(filepath.Join(w.Dir, "probe")) }()
		return w.git("hash-object", "probe")
	}
	found, err := w.Origins(ctx, map[string]bool{blob("secret"): true, blob("only here"): true, blob("never committed"): true}, "--all")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for id, o := range found {
		got[id] = o.Commit + " " + o.Path + " " + o.Author + " " + o.At.UTC().Format("2006")
	}
	want := map[string]string{
		blob("secret"):    first + ` old "name" Ada <ada@example.com> 2026`,
		blob("only here"): merge + " evil Ada <ada@example.com> 2026",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestReplaced: an object that refs/replace hides is what git sends, and so what is read.
func TestReplaced(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.commit("first", map[string]string{"a": "what is sent", "b": "what is shown"})
	w.git("replace", w.git("rev-parse", "HEAD:a"), w.git("rev-parse", "HEAD:b"))
	objects, err := w.Reachable(ctx, "main")
	if err != nil {
		t.Fatal(err)
	}
	if got := w.texts(objects); !slices.Contains(got, "a: what is sent") {
		t.Errorf("Reachable and Read give %q, want what is sent", got)
	}
}

// TestPartialClone: what a clone left out is said to be missing, and not fetched.
func TestPartialClone(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.commit("first", map[string]string{"a": "one"})
	w.git("config", "uploadpack.allowFilter", "true")
	w.git("clone", "-q", "--no-checkout", "--filter=blob:none", "file://"+w.Dir, "partial")
	partial, err := Open(ctx, filepath.Join(w.Dir, "partial"))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := partial.Reachable(ctx, "--all")
	if err == nil {
		err = partial.Read(ctx, objects, 1, func(_ Object, r io.Reader) error { _, err := io.ReadAll(r); return err })
	}
	if err == nil {
		t.Errorf("all of a partial clone was read: %v", objects)
	}
}

// TestRead: what is not read to its end does not spoil what comes next; what is missing is said; an error ends it.
func TestRead(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	files := map[string]string{}
	for i := range 3 * share {
		files[fmt.Sprintf("f%04d", i)] = strings.Repeat(fmt.Sprintf("%d\n", i), i%50)
	}
	w.commit("many", files)
	all, err := w.Reachable(ctx, "--all")
	if err != nil {
		t.Fatal(err)
	}
	blobs := slices.DeleteFunc(all, func(o Object) bool { return o.Kind != Blob })
	var mu sync.Mutex
	begins := map[string]string{}
	if err := w.Read(ctx, blobs, 4, func(o Object, r io.Reader) error {
		begin := make([]byte, 3)
		n, _ := io.ReadFull(r, begin)
		mu.Lock()
		defer mu.Unlock()
		begins[o.Path] = string(begin[:n])
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for path, begin := range begins {
		if want := files[path][:min(3, len(files[path]))]; begin != want {
			t.Errorf("%s begins with %q, want %q", path, begin, want)
		}
	}
	absent := Object{ID: strings.Repeat("1", 40), Kind: Blob, Path: "absent"}
	var said error
	if err := w.Read(ctx, []Object{absent, blobs[0]}, 1, func(o Object, r io.Reader) error {
		if _, err := io.ReadAll(r); o.Path == "absent" {
			said = err
		}
		return nil
	}); err != nil || !errors.Is(said, ErrMissing) {
		t.Errorf("reading what is absent = %v, the whole %v, want ErrMissing and none", said, err)
	}
	stop := errors.New("stop")
	if err := w.Read(ctx, blobs, 4, func(Object, io.Reader) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Read whose function fails = %v, want its error", err)
	}
}

// TestFiles: what git ignores is not listed; paths are relative to where one stands.
func TestFiles(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.commit("first", map[string]string{".gitignore": "ignored/\n*.log\n!kept.log\n", "sub/a": "", "sub/kept.log": ""})
	w.write("sub/new", "")
	w.write("sub/x.log", "")
	w.write("sub/ignored/b", "")
	got, err := w.Files(ctx, filepath.Join(w.Dir, "sub"))
	slices.Sort(got)
	if want := []string{"a", "kept.log", "new"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("Files(sub) = %q, %v, want %q", got, err, want)
	}
}

// TestBare: a repository without a work tree, as servers have.
func TestBare(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.commit("first", map[string]string{"a": "one"})
	w.git("clone", "-q", "--bare", w.Dir, "bare.git")
	bare, err := Open(ctx, filepath.Join(w.Dir, "bare.git"))
	if err != nil || bare.Top != "" || bare.Git != bare.Dir {
		t.Fatalf("Open = %+v, %v, want a repository without a work tree", bare, err)
	}
	objects, err := bare.Reachable(ctx, "--all")
	if err != nil || len(objects) != 2 {
		t.Errorf("Reachable = %v, %v, want a blob and a commit", objects, err)
	}
	if hooks, err := bare.Hooks(ctx); err != nil || hooks != filepath.Join(bare.Git, "hooks") {
		t.Errorf("Hooks = %s, %v", hooks, err)
	}
}
