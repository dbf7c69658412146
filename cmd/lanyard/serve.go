package main

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/server"
)

// serveFlags stand above the environment.
type serveFlags struct{ listen, publicURL, dataDir string }

func (p *program) serve() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server. With no configuration it keeps a SQLite database and its master key under ./data and
listens on 127.0.0.1:8420. Settings are LANYARD_… variables, in the environment or .env; secrets
also as NAME_FILE. Ends in order at SIGINT or SIGTERM, at once at the second.`,
		Example: "  lanyard serve\n  lanyard serve --listen 127.0.0.1:9000 --data-dir /var/lib/lanyard\n  LANYARD_DATABASE_URL=postgres://… LANYARD_MASTER_KEY_FILE=/run/secrets/master lanyard serve",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := config.Load(config.Source{Getenv: f.over(p.getenv)})
			if err != nil {
				return err
			}
			log, err := p.logger(settings)
			if err != nil {
				return err
			}
			return p.runServer(cmd.Context(), settings, log)
		},
	}
	cmd.Flags().StringVar(&f.listen, "listen", "", "address to listen on (LANYARD_LISTEN)")
	cmd.Flags().StringVar(&f.publicURL, "public-url", "", "how the world reaches it (LANYARD_PUBLIC_URL)")
	cmd.Flags().StringVar(&f.dataDir, "data-dir", "", "where the database, master key and spool lie (LANYARD_DATA_DIR)")
	return cmd
}

func (f *serveFlags) over(getenv func(string) string) func(string) string {
	set := map[string]string{"LANYARD_LISTEN": f.listen, "LANYARD_PUBLIC_URL": f.publicURL, "LANYARD_DATA_DIR": f.dataDir}
	return func(name string) string {
		if value := set[name]; value != "" {
			return value
		}
		return getenv(name)
	}
}

// logger writes text for people at a terminal and JSON elsewhere, unless LANYARD_LOG says which.
func (p *program) logger(settings config.Settings) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(settings.LogLevel)); err != nil {
		return nil, fault.New(fault.Invalid, "LANYARD_LOG_LEVEL must be debug, info, warn or error, not %.20q", settings.LogLevel)
	}
	opts := &slog.HandlerOptions{Level: level}
	if settings.Log == "text" || settings.Log == "" && isTerminal(p.stderr) {
		return slog.New(slog.NewTextHandler(p.stderr, opts)), nil
	}
	return slog.New(slog.NewJSONHandler(p.stderr, opts)), nil
}

func (p *program) runServer(ctx context.Context, settings config.Settings, log *slog.Logger) error {
	s, err := server.New(ctx, settings, server.Options{Log: log, Now: p.now})
	if err != nil {
		return err
	}
	for _, text := range settings.Warnings() {
		log.Warn("a setting deserves a second look", "setting", text)
	}
	first := s.NewMaster || !p.hasManagementKey(ctx, s.Core)
	setup, err := s.FirstAdmin(ctx)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	return s.Run(ctx, func(address net.Addr) {
		log.Info("listening", "address", address.String(), "public_url", settings.PublicURL)
		p.out.linef("Lanyard is at %s (listening on %s).", settings.PublicURL, address)
		if s.NewMaster {
			p.out.linef("A master key was made: keep a copy of %s elsewhere. Without it the database opens nothing.", settings.MasterKeyFile())
		}
		if setup != "" {
			p.out.linef("Nobody runs it yet. Open this link within 30 minutes to become the first admin; it works once:\n  %s", setup)
		}
		if first {
			p.out.linef("To manage it, make a key: lanyard admin key create --scope lanyard.admin --save LANYARD_TOKEN")
		}
	})
}

// hasManagementKey says whether anybody can manage the server over its API. Not knowing is no reason not to start.
func (p *program) hasManagementKey(ctx context.Context, core *server.Core) bool {
	keys, err := core.Manage.Keys(ctx, audit.Command("serve"), manage.KeysFilter{Team: string(core.SystemTeam)}, manage.List{Limit: 1})
	return err != nil || len(keys.Items) > 0
}
