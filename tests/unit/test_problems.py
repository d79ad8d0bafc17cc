"""Problems are passed between processes unchanged, and say in Chinese what is wrong."""

from marshmallow import Schema, ValidationError, fields, validate

from services.kit.problems import Conflict, FieldProblem, Invalid, NotFound, Problem, Unavailable, invalid_fields


class Inner(Schema):
    name = fields.String(required=True)


class Outer(Schema):
    members = fields.List(fields.Nested(Inner))
    phone = fields.String(validate=validate.Length(min=11, error="手机号码应为 11 位"))
    at = fields.Date()


def test_a_problem_is_the_same_after_its_travel() -> None:
    for problem in (
        Conflict("taken", "已被占用", "请另选。", [FieldProblem("name", "taken", "已被占用")]),
        Unavailable(7),
        NotFound(),
        Invalid([FieldProblem("a", "required", "必填")]),
    ):
        assert Problem.from_dict(problem.to_dict()).to_dict() == problem.to_dict()


def test_what_is_empty_is_left_out() -> None:
    assert Conflict("taken", "已被占用").to_dict() == {"code": "taken", "status": 409, "title": "已被占用"}


def test_errors_of_a_schema_become_paths_codes_and_reasons_in_chinese() -> None:
    try:
        Outer().load({"members": [{"name": "a"}, {}], "phone": "1", "at": "soon", "more": 1})
    except ValidationError as error:
        problem = invalid_fields(error.messages)
    assert problem.status == 422
    assert {(field.field, field.code, field.reason) for field in problem.fields} == {
        ("members.1.name", "required", "必填"),
        ("phone", "invalid", "手机号码应为 11 位"),
        ("at", "invalid", "格式或取值不正确"),
        ("more", "unknown_field", "不支持此项"),
    }


def test_a_request_of_very_many_errors_is_answered_with_the_first_hundred() -> None:
    problem = invalid_fields({"members": {number: {"name": ["Unknown field."]} for number in range(100_000)}})
    assert len(problem.fields) == 100
    assert len(invalid_fields({"x" * 100_000: ["Unknown field."]}).fields[0].field) == 200
