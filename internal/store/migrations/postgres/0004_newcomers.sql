-- +goose Up
-- Apps that registered themselves and were never allowed anything go again. Whatever refers to an app is found by it then, since
-- the database looks there before it lets a row go.

CREATE INDEX auth_request_app ON auth_request (app_id);
CREATE INDEX pushed_request_app ON pushed_request (app_id);
CREATE INDEX auth_code_app ON auth_code (app_id);
CREATE INDEX family_app ON family (app_id);
CREATE INDEX device_app ON device (app_id);
