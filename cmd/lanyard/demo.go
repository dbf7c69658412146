package main

import (
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard/internal/demo"
)

func (p *program) demo() *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it all: a server, example APIs, an app, people and keys",
		Long: `Starts everything on a throw-away directory: the server at :8420, the example APIs weather and mail
behind it at :8421, and PostPal at :8422, an app that asks for a visitor badge; with people, apps and
keys. It prints what to paste and where to click. Ctrl-C ends it and removes the directory; --dir
keeps one.`,
		Example: "  lanyard demo\n  lanyard demo --token-lifetime 30s\n  lanyard demo --dir ./lanyard-demo",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Out, o.Now, o.Program = p.out, p.now, os.Args[0]
			o.Log = slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
			return demo.Run(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "", "keep everything in this directory, and go on from there")
	cmd.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:8420", "where the server listens")
	cmd.Flags().StringVar(&o.PostPalListen, "postpal-listen", "127.0.0.1:8422", "where PostPal listens, the page of an app")
	cmd.Flags().StringVar(&o.TokenLifetime, "token-lifetime", "15m", "how long access tokens for mail last; 30s shows expiry and refresh")
	cmd.Flags().StringVar(&o.GatewayListen, "gateway-listen", "127.0.0.1:8421", "where the example API listens")
	return cmd
}
