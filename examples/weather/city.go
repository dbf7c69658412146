package weather

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// city is a place with its climate: the mean temperature over the year and how far July (January, south of the equator) is above
// it, in °C; how many days in a hundred bring rain; the usual wind in km/h.
type city struct {
	name, country   string
	mean, swing     float64
	south           bool
	rainyDays, wind float64
	alsoKnownAs     string
}

var cities = []city{
	{name: "Berlin", country: "Germany", mean: 10, swing: 10, rainyDays: 45, wind: 15},
	{name: "Cairo", country: "Egypt", mean: 22, swing: 8, rainyDays: 4, wind: 14},
	{name: "Lagos", country: "Nigeria", mean: 27, swing: -1.5, rainyDays: 45, wind: 13},
	{name: "London", country: "United Kingdom", mean: 11.5, swing: 7, rainyDays: 42, wind: 17},
	{name: "Mumbai", country: "India", mean: 27.5, swing: 1, rainyDays: 35, wind: 14},
	{name: "Nairobi", country: "Kenya", mean: 18.5, swing: 1.5, south: true, rainyDays: 35, wind: 15},
	{name: "New York", country: "United States", mean: 13, swing: 12.5, rainyDays: 33, wind: 18},
	{name: "Paris", country: "France", mean: 12, swing: 8, rainyDays: 40, wind: 14},
	{name: "Reykjavik", country: "Iceland", mean: 5, swing: 6, rainyDays: 58, wind: 26, alsoKnownAs: "Reykjavík"},
	{name: "São Paulo", country: "Brazil", mean: 20, swing: 3.5, south: true, rainyDays: 42, wind: 11, alsoKnownAs: "Sao Paulo"},
	{name: "Sydney", country: "Australia", mean: 18, swing: 5.5, south: true, rainyDays: 38, wind: 17},
	{name: "Tokyo", country: "Japan", mean: 16, swing: 11, rainyDays: 32, wind: 13},
}

func find(name string) (city, bool) {
	name = strings.TrimSpace(name)
	for _, c := range cities {
		if strings.EqualFold(c.name, name) || c.alsoKnownAs != "" && strings.EqualFold(c.alsoKnownAs, name) {
			return c, true
		}
	}
	return city{}, false
}

func names() []string {
	var out []string
	for _, c := range cities {
		out = append(out, c.name)
	}
	return out
}

// Day is the weather of one day in one city.
type Day struct {
	Date       string `json:"date"`
	Summary    string `json:"summary"`
	HighC      int    `json:"high_c"`
	LowC       int    `json:"low_c"`
	RainChance int    `json:"rain_chance_percent"`
	WindKMH    int    `json:"wind_kmh"`
}

// on makes up the weather of a day. Chance is seeded by city and date: the forecast for Friday is the same on Monday and on Friday.
func (c city) on(day time.Time) Day {
	date := day.Format(time.DateOnly)
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(c.name + date))         // cannot fail
	chance := rand.New(rand.NewPCG(seed.Sum64(), 0)) // #nosec G404 -- weather, not a secret

	season := math.Cos(2 * math.Pi * float64(day.YearDay()-200) / 365) // 1 in the middle of July
	if c.south {
		season = -season
	}
	middle := c.mean + c.swing*season + 2*chance.NormFloat64()
	rain := int(min(max(c.rainyDays+22*chance.NormFloat64(), 0), 100))
	spread := 6 - float64(rain)/25 // cloudy days are even
	wind := int(max(c.wind*math.Exp(0.35*chance.NormFloat64()), 2))
	d := Day{Date: date, HighC: int(math.Round(middle + spread)), LowC: int(math.Round(middle - spread)), RainChance: rain, WindKMH: wind}
	d.Summary = d.words()
	return d
}

func (d Day) words() string {
	var sky string
	switch {
	case d.RainChance >= 60 && d.HighC <= 1:
		sky = "snow"
	case d.RainChance >= 75:
		sky = "rain"
	case d.RainChance >= 50:
		sky = "showers"
	case d.RainChance >= 25:
		sky = "some clouds"
	default:
		sky = "sunny"
	}
	if d.WindKMH >= 35 {
		sky += ", windy"
	}
	return sky
}

// warning returns the gravest thing about a day, or "".
func (d Day) warning() (kind, message string) {
	switch {
	case d.WindKMH >= 45:
		return "wind", fmt.Sprintf("Strong wind, up to %d km/h.", d.WindKMH)
	case d.HighC >= 34:
		return "heat", fmt.Sprintf("Great heat, up to %d °C.", d.HighC)
	case d.LowC <= -8:
		return "frost", fmt.Sprintf("Hard frost, down to %d °C.", d.LowC)
	case d.RainChance >= 85:
		return "rain", "Heavy rain is likely."
	}
	return "", ""
}
