package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (p *program) version() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Say which Lanyard this is",
		Example: "  lanyard version",
		Args:    takes(),
		RunE: func(*cobra.Command, []string) error {
			version, commit := built()
			if p.asJSON() {
				return p.json(map[string]string{"version": version, "commit": commit, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
			}
			text := "lanyard " + version
			if commit != "" {
				text += " (" + commit + ")"
			}
			p.out.linef("%s %s %s/%s", text, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}

// built is the version and commit that the go command wrote into the program.
func built() (version, commit string) {
	version = "(unknown)"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, ""
	}
	if info.Main.Version != "" {
		version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			commit = s.Value[:min(12, len(s.Value))]
		}
	}
	return version, commit
}
