package lanyard

// Meter counts something that is no request, from events of a type (CloudEvents).
type Meter struct {
	Text  string `json:"text" yaml:"text" maxLength:"120" doc:"What is counted: gigabytes stored"`
	Event string `json:"event" yaml:"event" maxLength:"200" doc:"The type of its events: com.acme.storage"`
}

// Price is what the units of one meter cost in a period. Amounts are decimal text, as in Plan.
type Price struct {
	Meter    string   `json:"meter" yaml:"meter" doc:"requests, units, or one of the API's meters"`
	Model    string   `json:"model,omitempty" yaml:"model,omitempty" enum:"per_unit,graduated,volume,package" doc:"Absent: per_unit"`
	Included int64    `json:"included,omitempty" yaml:"included,omitempty" minimum:"0" doc:"Units that cost nothing; they come off first"`
	PerUnit  string   `json:"per_unit,omitempty" yaml:"per_unit,omitempty" doc:"What a unit costs"`
	Tiers    []Tier   `json:"tiers,omitempty" yaml:"tiers,omitempty" maxItems:"20" doc:"Of graduated (each unit at the price of the tier it lies in) and volume (all at that of the tier the last one lies in)"`
	Package  *Package `json:"package,omitempty" yaml:"package,omitempty" doc:"A begun package is a whole one"`
	Minimum  string   `json:"minimum,omitempty" yaml:"minimum,omitempty" doc:"The least this price comes to in a period"`
	Cap      string   `json:"cap,omitempty" yaml:"cap,omitempty" doc:"The most this price comes to in a period"`
	Currency string   `json:"currency,omitempty" yaml:"currency,omitempty" doc:"Absent: the plan's"`
}

// Tier is a stretch of units: those after the tier before, up to and with UpTo. The last one has no UpTo.
type Tier struct {
	UpTo    int64  `json:"up_to,omitempty" yaml:"up_to,omitempty" minimum:"0"`
	PerUnit string `json:"per_unit,omitempty" yaml:"per_unit,omitempty" doc:"What a unit in it costs"`
	Flat    string `json:"flat,omitempty" yaml:"flat,omitempty" doc:"Is due once when it is entered"`
}

// Package is so many units that are sold together.
type Package struct {
	Size  int64  `json:"size" yaml:"size" minimum:"1"`
	Price string `json:"price" yaml:"price" doc:"What a package costs"`
}
