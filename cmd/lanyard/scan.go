package main

import (
	"context"
	"errors"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/gitrepo"
	"github.com/lanyard-auth/lanyard/internal/scan"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// scanFlags is what the flags of `scan` say.
type scanFlags struct {
	staged, history, stdin, prePush, preReceive bool
	revisions                                   string

	format, to     string
	quiet          bool
	baseline       string
	writeBaseline  bool
	strict         bool
	gitignore      bool
	closed         bool
	prefixes       []string
	gitleaks       string
	checkLive      bool
	revoke, agreed bool
}

func (p *program) scan() *cobra.Command {
	var f scanFlags
	cmd := &cobra.Command{
		Use:   "scan [PATH...]",
		Short: "Find credentials in files, staged changes and history, and end them",
		Long: `Finds credentials of Lanyard where they do not belong: in a tree (default: here), in what is staged,
in all of git's history, in a range of commits, on stdin. They are known by their checksum, so a
finding is a credential and not a guess; also in archives, and in base64, UTF-16 and the escapes of
URLs, strings and HTML. No credential is printed. Findings of gitleaks are added where that program is.

What is meant to stand somewhere is passed over by ` + scan.AllowMark + ` on its line, by a path in
` + ignoreFile + ` (lines such as testdata/ or **/*.golden), or by its hash in ` + baselineFile + `, which
--write-baseline makes of all that is there now. Publishable keys are told of, and fail nothing.

--check-live asks the server which of them work, by their public ids alone. --revoke reports them to
the server, which ends them; nobody has to sign in for that.

Exit status: 0 nothing was found, 1 something was, 2 wrong usage, 3 something could not be read (in a
hook, that also means an archive that cannot be opened). In a pre-receive hook marks excuse nothing.`,
		Example: `  lanyard scan
  lanyard scan --staged
  lanyard scan --history --check-live
  lanyard scan --range origin/main..HEAD --format sarif --to lanyard.sarif
  lanyard scan dist/app.tar.gz --prefix acme
  lanyard scan install --pre-commit`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return p.runScan(cmd.Context(), args, &f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.staged, "staged", false, "what the next commit brings: the index, not the work tree")
	flags.BoolVar(&f.history, "history", false, "every blob, commit message and tag that any branch, tag or stash reaches, each once")
	flags.StringVar(&f.revisions, "range", "", "the same for these commits, such as main..HEAD")
	flags.BoolVar(&f.stdin, "stdin", false, "what comes on stdin")
	flags.BoolVar(&f.prePush, "pre-push", false, "as a pre-push hook: PATH is the remote's name")
	flags.BoolVar(&f.preReceive, "pre-receive", false, "as a pre-receive hook, on a server")
	flags.StringVar(&f.format, "format", "text", "text, json, sarif or junit")
	flags.StringVar(&f.to, "to", "", "write that to this file, and text to stdout")
	flags.BoolVar(&f.quiet, "quiet", false, "say nothing when nothing was found")
	flags.StringVar(&f.baseline, "baseline", "", "hashes of what is known (default: "+baselineFile+" at the top, if it is there)")
	flags.BoolVar(&f.writeBaseline, "write-baseline", false, "make what is found now known, and report it no more")
	flags.BoolVar(&f.strict, "strict", false, "pass nothing over: no marks, no "+ignoreFile+", no baseline")
	flags.BoolVar(&f.gitignore, "gitignore", false, "pass over what git ignores")
	flags.BoolVar(&f.closed, "no-archives", false, "leave archives closed")
	flags.StringSliceVar(&f.prefixes, "prefix", nil, "what credentials begin with; may be repeated (default: LANYARD_KEY_PREFIX, what .env shows, and "+defaultPrefix+")")
	flags.StringVar(&f.gitleaks, "gitleaks", "auto", "add the findings of gitleaks: auto (if it is installed), on or off")
	flags.BoolVar(&f.checkLive, "check-live", false, "ask the server which of them work")
	flags.BoolVar(&f.revoke, "revoke", false, "report them to the server, which ends them")
	flags.BoolVar(&f.agreed, "yes", false, "with --revoke: do not ask")
	cmd.AddCommand(p.scanInstall(), p.scanPatterns())
	return cmd
}

const (
	defaultPrefix = "lyd"
	baselineFile  = ".lanyard-baseline"
	ignoreFile    = ".lanyardignore"
)

// check refuses flags that contradict each other.
func (f *scanFlags) check(p *program, args []string) error {
	modes := 0
	for _, on := range []bool{f.staged, f.history, f.revisions != "", f.stdin, f.prePush, f.preReceive} {
		if on {
			modes++
		}
	}
	switch {
	case modes > 1:
		return usage("--staged, --history, --range, --stdin, --pre-push and --pre-receive each say what to look at: keep one of them")
	case f.prePush && len(args) > 1: // git names the remote, and its address
		return usage("--pre-push takes one argument, the name of the remote")
	case modes == 1 && !f.prePush && len(args) > 0:
		return usage("%.60q says what to look at, and so does the flag: keep one of them", secret.Redact(args[0]))
	case f.agreed && !f.revoke:
		return usage("--yes belongs to --revoke")
	case f.revoke && f.writeBaseline:
		return usage("--revoke ends what is found, --write-baseline makes it known and harmless: keep one of them")
	case f.gitleaks != "auto" && f.gitleaks != "on" && f.gitleaks != "off":
		return usage("--gitleaks must be auto, on or off, not %.20q", f.gitleaks)
	}
	if p.asJSON() && f.format == "text" && f.to == "" {
		f.format = "json"
	}
	for _, known := range []string{"text", "json", "sarif", "junit"} {
		if f.format == known {
			return nil
		}
	}
	return usage("--format must be text, json, sarif or junit, not %.20q", f.format)
}

// place says which of the ways to look at things it is.
func (f *scanFlags) place() scanPlace {
	switch {
	case f.staged:
		return placeStaged
	case f.history, f.revisions != "":
		return placeHistory
	case f.prePush:
		return placePush
	case f.preReceive:
		return placeReceive
	case f.stdin:
		return placeStdin
	}
	return placeTree
}

type scanPlace int

const (
	placeTree scanPlace = iota
	placeStaged
	placeHistory
	placePush
	placeReceive
	placeStdin
)

// scanJob is one scan.
type scanJob struct {
	p       *program
	flags   *scanFlags
	scanner *scan.Scanner
	repo    *gitrepo.Repo // nil where there is none
	ignored ignoredPaths
	known   baselineAt
	notice  *progress

	revisions []string // that were looked through
	result    scanResult
}

func (p *program) runScan(ctx context.Context, args []string, f *scanFlags) error {
	if err := f.check(p, args); err != nil {
		return err
	}
	j, err := p.newScan(ctx, args, f)
	if err != nil {
		return err
	}
	began := p.now()
	err = j.look(ctx, args)
	j.notice.clear()
	if err != nil {
		return err
	}
	if err := j.addGitleaks(ctx, args); err != nil {
		return err
	}
	j.result.took = p.now().Sub(began)
	j.result.tidy()
	if f.writeBaseline {
		return j.writeBaseline()
	}
	unsettled := j.settle(ctx) // what was found is reported all the same
	if err := errors.Join(j.report(), unsettled); err != nil {
		return err
	}
	return j.verdict()
}

// verdict is how the command ends: by what was found, before what could not be read.
func (j *scanJob) verdict() error {
	switch {
	case len(j.result.open()) > 0:
		return errNo
	case len(j.result.unread) > 0:
		return fault.New(fault.Unavailable, "nothing was found, but %s could not be read: make them readable, or name them in %s", some(j.result.unreadPaths()), ignoreFile)
	}
	return nil
}

// newScan gets everything ready that a scan needs.
func (p *program) newScan(ctx context.Context, args []string, f *scanFlags) (*scanJob, error) {
	j := &scanJob{p: p, flags: f, notice: &progress{p: p, on: isTerminal(p.stderr)}}
	at := "."
	if f.place() == placeTree && len(args) > 0 {
		at = args[0]
	}
	if err := j.findRepo(ctx, at); err != nil {
		return nil, err
	}
	prefixes, err := p.prefixes(f.prefixes)
	if err != nil {
		return nil, err
	}
	j.result.prefixes, j.result.place = prefixes, f.place()
	finder, err := scan.NewFinder(prefixes...)
	if err != nil {
		return nil, usage("--prefix: %s", err)
	}
	j.scanner = &scan.Scanner{Finder: finder, Closed: f.closed}
	top := at
	if info, err := os.Stat(at); err == nil && !info.IsDir() {
		top = "."
	}
	if j.repo != nil && j.repo.Top != "" {
		top = j.repo.Top
	}
	if err := j.readKnown(ctx, top); err != nil {
		return nil, err
	}
	return j, nil
}

// findRepo opens the repository, which every way to look but trees and stdin needs.
func (j *scanJob) findRepo(ctx context.Context, at string) error {
	place := j.flags.place()
	if place == placeStdin {
		return nil
	}
	if info, err := os.Stat(at); err == nil && !info.IsDir() {
		at = "."
	}
	repo, err := gitrepo.Open(ctx, at)
	if err == nil {
		j.repo = repo
		return nil
	}
	switch needed := place != placeTree || j.flags.gitignore; {
	case !needed:
		return nil // a tree is looked through without git
	case errors.Is(err, gitrepo.ErrNoRepository):
		return usage("there is no git repository here: go into one, or leave the flag out to look through the files")
	}
	return fault.New(fault.Unavailable, "%s", err)
}

// prefixes are what credentials may begin with: as the flags say, else as the settings and .env show. The default is always among
// those that were not asked for.
func (p *program) prefixes(asked []string) ([]string, error) {
	if len(asked) > 0 {
		return asked, nil
	}
	getenv, err := p.environ()
	if err != nil {
		getenv = p.getenv // .env cannot be read as settings; it is scanned all the same
	}
	var all []string
	add := func(prefix string) {
		for _, known := range all {
			if known == prefix {
				return
			}
		}
		all = append(all, prefix)
	}
	if set := getenv("LANYARD_KEY_PREFIX"); set != "" {
		if err := secret.ValidPrefix(set); err != nil {
			return nil, usage("LANYARD_KEY_PREFIX: %s", err)
		}
		add(set)
	}
	shown := func(_ string, c secret.Credential) bool { add(c.Prefix); return len(all) < 20 }
	secret.Find(getenv("LANYARD_TOKEN"), shown)
	if text, err := os.ReadFile(envFile); err == nil {
		secret.Find(string(text), shown)
	}
	add(defaultPrefix)
	return all, nil
}

// look goes through the place that the flags name.
func (j *scanJob) look(ctx context.Context, args []string) error {
	switch j.flags.place() {
	case placeTree:
		if len(args) == 0 {
			args = []string{"."}
		}
		for _, path := range args {
			if err := j.tree(ctx, path); err != nil {
				return err
			}
		}
		return nil
	case placeStaged:
		return j.staged(ctx)
	case placeHistory:
		return j.history(ctx)
	case placePush:
		return j.push(ctx, args)
	case placeReceive:
		return j.received(ctx)
	case placeStdin:
	}
	totals, err := j.scanner.Read(ctx, "stdin", j.p.stdin, j.receiver(nil))
	j.result.add(totals)
	return err
}

// receiver takes what is found; about adds what git knows of it, nil: nothing.
func (j *scanJob) receiver(about func(*exposed)) scan.Receiver {
	return scan.Receiver{
		Found: func(f scan.Finding) error {
			f.Allowed = f.Allowed && !j.flags.preReceive // a push could bring its own excuse
			e := exposedBy(f, j.flags.strict)
			if about != nil {
				about(&e)
			}
			j.result.found = append(j.result.found, e)
			return nil
		},
		Trouble: func(path string, err error) { j.result.trouble(path, err) },
	}
}

// progress is one line on the terminal that says how far a long scan is.
type progress struct {
	p     *program
	on    bool
	shown bool
	last  time.Time
}

const progressEvery = 100 * time.Millisecond

func (n *progress) say(text func() string) {
	if !n.on {
		return
	}
	now := n.p.now()
	if now.Sub(n.last) < progressEvery {
		return
	}
	n.last, n.shown = now, true
	n.p.notes.text("\r\x1b[K" + text())
}

func (n *progress) clear() {
	if n.shown {
		n.p.notes.text("\r\x1b[K")
	}
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 10e9:
		return thousands(n/1e9) + " GB"
	case n >= 10e6:
		return thousands(n/1e6) + " MB"
	case n >= 10e3:
		return thousands(n/1e3) + " kB"
	}
	return count(n, "byte")
}

// workers is how many git processes read objects at once.
func workers() int { return min(runtime.GOMAXPROCS(0), 8) }
