package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/server"
)

// checkFiles looks at who may read what holds secrets.
func checkFiles(s config.Settings) []finding {
	var found []finding
	for _, f := range []struct {
		path, wants string
		open        fs.FileMode // bits that must not be set
		state       string
	}{
		{".env", "chmod 600 .env", 0o077, stateWarn},
		{s.DataDir, "chmod 700 " + s.DataDir, 0o022, stateFail},
		{s.MasterKeyFile(), "chmod 600 " + s.MasterKeyFile(), 0o077, stateFail},
	} {
		info, err := os.Stat(f.path)
		if err != nil {
			continue // what must be there is missed elsewhere
		}
		if mode := info.Mode().Perm(); mode&f.open != 0 {
			found = append(found, finding{f.state, "files", fmt.Sprintf("%s is open to other users (mode %04o): run %s", f.path, mode, f.wants)})
		}
	}
	if len(found) == 0 {
		found = append(found, fine("files", "what holds secrets is readable by its owner alone"))
	}
	return found
}

// checkDatabase opens the database, unless that would make a new one.
func (p *program) checkDatabase(ctx context.Context, s config.Settings) []finding {
	if path, isFile := strings.CutPrefix(s.DatabaseURL.Reveal(), "sqlite:"); isFile {
		path, _, _ = strings.Cut(path, "?")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return []finding{warn("database", "there is none at "+path+" yet; `lanyard serve` makes it, or LANYARD_DATA_DIR points elsewhere")}
		}
	}
	core, err := server.Open(ctx, s, server.Options{Now: p.now})
	if err != nil {
		return []finding{fail("database", sentence(err))}
	}
	known, has, err := core.Store.SchemaVersion(ctx)
	schema := fine("migrations", "schema version "+strconv.FormatInt(has, 10)+", the newest")
	if err != nil || known != has {
		schema = fail("migrations", "the schema is not up to date: look at what `lanyard serve` says at its start")
	}
	keys := count(int64(len(core.Ring.List())), "key")
	var told []finding
	if !s.StripeKey.IsZero() {
		told = append(told, checkStripe(ctx, core))
	}
	if err := core.Close(); err != nil {
		return []finding{fail("database", "it does not close: "+sentence(err))}
	}
	return append([]finding{fine("database", "opens, "+core.Store.Engine()), schema, fine("master key", "opens all of the keyring, "+keys)}, told...)
}

// checkStripe says whether Stripe was told what was counted.
func checkStripe(ctx context.Context, core *server.Core) finding {
	const about = "stripe"
	text, urgent, err := core.StripeTrouble(ctx)
	switch {
	case err != nil:
		return fail(about, sentence(err))
	case urgent:
		return fail(about, text)
	case text != "":
		return warn(about, text)
	}
	return fine(about, "was told all that it is to know by now")
}

// checkSpool looks for uses that could not be counted.
func checkSpool(s config.Settings) finding {
	spoiled, err := server.Spoiled(s)
	switch {
	case err != nil:
		return fail("spool", sentence(err))
	case len(spoiled) > 0:
		return fail("spool", "uses in "+some(spoiled)+" could not be counted: keep the files, and look at the log for what happened when they were put aside")
	}
	return fine("spool", "nothing was put aside")
}

// checkRedis counts in Redis once, as the server does.
func checkRedis(ctx context.Context, s config.Settings) finding {
	if err := server.CheckRedis(ctx, s); err != nil {
		return fail("redis", sentence(err)+"; meanwhile each node counts limits by itself: start Redis, or correct LANYARD_REDIS_URL")
	}
	return fine("redis", "answers; limits are counted there, for all nodes together")
}
