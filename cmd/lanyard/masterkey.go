package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/server"
)

func (p *program) masterKey() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "master-key",
		Short: "The one key that stands outside the database",
		Long:  "The master key wraps the server's own keys. It lies in master.key beside the database, or in LANYARD_MASTER_KEY; without it the database opens nothing.",
	}, p.masterKeyNew(), p.masterKeyRotate())
}

func (p *program) masterKeyNew() *cobra.Command {
	var number int
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Print a fresh master key for LANYARD_MASTER_KEY",
		Long: `Print a fresh master key: the first one for PostgreSQL, or the next one for a rotation. Nothing is
stored. It goes into LANYARD_MASTER_KEY, better into the file that LANYARD_MASTER_KEY_FILE names.`,
		Example: "  (umask 077; lanyard master-key new > master.key)\n  lanyard master-key new --number 2",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("number") {
				if settings, err := p.settings(); err == nil {
					if masters, err := server.Masters(settings); err == nil {
						number = masters.Current.Version + 1
					}
				}
			}
			master, err := keyring.GenerateMaster(number, rand.Reader)
			if err != nil {
				return err
			}
			p.notes.linef("Whoever has this key and the database has everything; whoever has the database alone has nothing. Keep a copy elsewhere.")
			if p.asJSON() {
				return p.json(map[string]any{"version": master.Version, "master_key": master.Reveal()})
			}
			p.out.linef("%s", master.Reveal())
			return nil
		},
	}
	cmd.Flags().IntVar(&number, "number", 1, "its version; each key of a database needs a higher one (default: after the present one)")
	return cmd
}

func (p *program) masterKeyRotate() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Wrap everything under a new master key",
		Long: `Wrap the server's own keys under a new master key, in one transaction. Credentials go on working
and running servers are not disturbed.

With master.key a new one is made in its place, and the old one stays beside it for old backups.
With LANYARD_MASTER_KEY: make one with "lanyard master-key new", set it as LANYARD_MASTER_KEY and
the old one as LANYARD_MASTER_KEY_PREVIOUS on every server, restart each, then run this once;
afterwards LANYARD_MASTER_KEY_PREVIOUS can go.`,
		Example: "  lanyard master-key rotate",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := p.settings()
			if err != nil {
				return err
			}
			if settings.MasterKey.IsZero() {
				return p.rotateMasterFile(cmd.Context(), settings)
			}
			if settings.MasterKeyPrevious.IsZero() {
				return usage("set LANYARD_MASTER_KEY to the new key (`lanyard master-key new`) and LANYARD_MASTER_KEY_PREVIOUS to the present one, on every server, then run this again")
			}
			masters, err := p.rewrap(cmd.Context(), settings)
			if err != nil {
				return err
			}
			return p.rotated(masters.Current.Version, "LANYARD_MASTER_KEY_PREVIOUS is no longer needed once every server runs with the new key.")
		},
	}
}

func (p *program) rotated(version int, note string) error {
	if p.asJSON() {
		return p.json(map[string]int{"version": version})
	}
	p.out.linef("Everything is wrapped under master key version %d. %s", version, note)
	return nil
}

// rotateMasterFile makes a new master.key. The new key is on the disk before anything is wrapped under it, and takes its place
// only afterwards, so that an interruption at any point is mended by doing it again.
func (p *program) rotateMasterFile(ctx context.Context, settings config.Settings) error {
	path := settings.MasterKeyFile()
	old, err := keyring.ReadMasterFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Invalid, "there is no master key at %s to rotate: set LANYARD_DATA_DIR to where it lies, or LANYARD_MASTER_KEY and LANYARD_MASTER_KEY_PREVIOUS", path)
	}
	if err != nil {
		return err
	}
	next, err := keyring.ReadMasterFile(path + ".new") // of a rotation that was interrupted
	if errors.Is(err, fs.ErrNotExist) {
		if next, err = keyring.GenerateMaster(old.Version+1, rand.Reader); err == nil {
			err = keyring.WriteMasterFile(path+".new", next)
		}
	}
	if err != nil {
		return err
	}
	settings.MasterKey, settings.MasterKeyPrevious = secret.Of(next.Reveal()), secret.Of(old.Reveal())
	if _, err := p.rewrap(ctx, settings); err != nil {
		return err
	}
	kept := path + ".v" + strconv.Itoa(old.Version)
	if err := os.Link(path, kept); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keep the old master key: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("put the new master key in its place: %w", err)
	}
	return p.rotated(next.Version, "Keep a copy of "+path+" elsewhere. Backups made until now need "+kept+".")
}

// rewrap opens the database with either key and wraps everything under the current one.
func (p *program) rewrap(ctx context.Context, settings config.Settings) (keyring.Masters, error) {
	masters, err := server.Masters(settings)
	if err != nil {
		return masters, err
	}
	core, err := server.Open(ctx, settings, server.Options{Now: p.now})
	if err != nil {
		return masters, err
	}
	return masters, errors.Join(keyring.RotateMaster(ctx, core.Store, masters, masters.Current), core.Close())
}
