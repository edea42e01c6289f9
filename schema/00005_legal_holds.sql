-- +goose Up

-- A legal hold on a member or a document: what is held is not claimed,
-- transferred or archived until the hold is lifted.
CREATE TABLE legal_holds (
    id              uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    member_id       uuid,
    document_id     uuid,
    reason          text NOT NULL,
    placed_by       uuid NOT NULL REFERENCES members (id), -- of this organization or of an ancestor
    placed_at       timestamptz NOT NULL,
    lifted_by       uuid REFERENCES members (id),
    lifted_at       timestamptz,
    FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id),
    FOREIGN KEY (organization_id, document_id) REFERENCES documents (organization_id, id),
    CHECK (num_nonnulls(member_id, document_id) = 1),
    CHECK ((lifted_at IS NULL) = (lifted_by IS NULL))
);
CREATE INDEX legal_holds_member_idx ON legal_holds (member_id) WHERE member_id IS NOT NULL AND lifted_at IS NULL;
CREATE INDEX legal_holds_document_idx ON legal_holds (document_id) WHERE document_id IS NOT NULL AND lifted_at IS NULL;
CREATE INDEX legal_holds_organization_idx ON legal_holds (organization_id, placed_at, id);

ALTER TABLE documents ADD COLUMN held boolean NOT NULL DEFAULT false; -- a hold on the document itself is in force

-- +goose StatementBegin
CREATE FUNCTION guard_legal_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a document under legal hold stays where it is'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'documents_legal_hold';
END $$;
-- +goose StatementEnd
CREATE TRIGGER documents_legal_hold BEFORE UPDATE OF owner_id, access ON documents
    FOR EACH ROW WHEN (OLD.held AND (NEW.owner_id <> OLD.owner_id OR NEW.access = 'archived' AND OLD.access <> 'archived'))
    EXECUTE FUNCTION guard_legal_hold();

-- The schedules of a read-only document pause with it.
ALTER TABLE schedules ADD COLUMN paused_by_case_id uuid REFERENCES cases (id);
ALTER TABLE schedules DROP CONSTRAINT schedules_status_check;
ALTER TABLE schedules ADD CONSTRAINT schedules_status_check CHECK (status IN ('active', 'paused', 'archived'));
ALTER TABLE schedules ADD CONSTRAINT schedules_paused_check CHECK ((status = 'paused') = (paused_by_case_id IS NOT NULL));
CREATE INDEX schedules_paused_idx ON schedules (document_id) WHERE status = 'paused';

-- +goose Down
DROP INDEX schedules_paused_idx;
ALTER TABLE schedules DROP CONSTRAINT schedules_paused_check;
UPDATE schedules SET status = 'active', paused_by_case_id = NULL WHERE status = 'paused';
ALTER TABLE schedules DROP CONSTRAINT schedules_status_check;
ALTER TABLE schedules ADD CONSTRAINT schedules_status_check CHECK (status IN ('active', 'archived'));
ALTER TABLE schedules DROP COLUMN paused_by_case_id;
DROP TRIGGER documents_legal_hold ON documents;
DROP FUNCTION guard_legal_hold();
ALTER TABLE documents DROP COLUMN held;
DROP TABLE legal_holds;
