package demo

import (
	"fmt"
	"io"
)

// tell prints what to paste.
func (o *Options) tell(at *Places) error {
	end := "Everything is in " + at.Dir + ", which goes when you press Ctrl-C."
	if o.Dir != "" {
		end = "Everything is kept in " + at.Dir + "; Ctrl-C ends it."
	}
	_, err := io.WriteString(o.Out, fmt.Sprintf(`Lanyard is running. Portal: %[1]s   Weather API: %[2]s/weather

Get a forecast with WeatherDashboard's API key:
  curl -H @%[3]s '%[2]s/weather/v1/forecast?city=Lagos'
See what was used ("WeatherDashboard used 7 requests this month."), in another terminal:
  export LANYARD_URL=%[1]s LANYARD_TOKEN_FILE=%[4]s
  %[5]s usage show WeatherDashboard
Take the key back, and the next call is refused:
  %[5]s keys revoke %[6]s --wait 1s
Mail is private, so a key is refused there, in words; it takes a visitor badge:
  curl -H @%[3]s '%[2]s/mail/v1/me'
Open PostPal at %[8]s, sign in as ada@demo.test (password %[9]s), leave "post for you"
unticked and try its buttons. Then take the badge back at %[1]s/account/apps: PostPal turns red.
admin@demo.test runs it and dev@demo.test owns the team Sunny, with the same password. Mails: %[1]s/outbox
%[7]s
`, at.Portal, at.Gateway, at.KeyHeader, at.TokenFile, o.Program, at.KeyID, end, at.PostPal, Password))
	return err
}
