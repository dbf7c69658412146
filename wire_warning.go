package lanyard

import "time"

// Warning is something about an app's credential that somebody should know, with what to do about it.
type Warning struct {
	Code    string     `json:"code" enum:"expiring,new_network,rotation_due,in_query,expired,stale,never_used,many_networks,unrestricted"`
	Gravity string     `json:"gravity" enum:"note,warn,grave" doc:"note: it could be better; warn: look at it; grave: something is about to stop, or was put off for long"`
	Text    string     `json:"text" doc:"Sentences for people that speak of the credential as \"it\""`
	Do      string     `json:"do" doc:"The act that answers it, as a link's text"`
	Since   *time.Time `json:"since,omitempty" doc:"When what it tells of began, or will begin"`
	KeyID   string     `json:"key_id"`
	KeyName string     `json:"key_name"`
	Kind    string     `json:"kind" enum:"key,pub,cs"`
	AppID   string     `json:"app_id"`
	AppName string     `json:"app_name"`
	TeamID  string     `json:"team_id"`
	URL     string     `json:"url" doc:"The page where it can be answered"`
}

// String is the warning as a line: "WeatherDashboard · production: It ends in 2 days, …"
func (w Warning) String() string { return w.Of() + ": " + w.Text }

// Of names what the warning is about: "WeatherDashboard · production".
func (w Warning) Of() string { return w.AppName + " · " + w.KeyName }
