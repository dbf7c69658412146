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
  curl -H 'X-API-Key: %[3]s' '%[2]s/weather/v1/forecast?city=Lagos'
See what was used ("WeatherDashboard used 7 requests this month."), in another terminal:
  export LANYARD_URL=%[1]s LANYARD_TOKEN_FILE=%[4]s
  %[5]s usage show WeatherDashboard
Mail is private, so the same key is refused there, in words:
  curl -H 'X-API-Key: %[3]s' '%[2]s/mail/v1/me'
Take the key back, and the next call is refused:
  %[5]s keys revoke %[6]s --wait 1s

admin@demo.test runs it, dev@demo.test owns the team Sunny with the apps WeatherDashboard and nightly-report
(its key works from 127.0.0.0/8 alone), ada@demo.test is somebody with mail.
%[7]s
`, at.Portal, at.Gateway, at.Key, at.TokenFile, o.Program, at.KeyID, end))
	return err
}
