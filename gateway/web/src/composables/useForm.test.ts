import { nextTick, ref } from "vue";
import { describe, expect, it, vi } from "vitest";
import { useForm } from "@/composables/useForm";
import { ApiProblem } from "@/api/problems";

/** A form with a name and a remark, whose sending fails with each problem in turn. */
function failing(...problems: ApiProblem[]) {
  const isOpen = ref(true);
  const sent: { key: string; name: string }[] = [];
  const onSuccess = vi.fn();
  const known = { name: "" };
  const form = useForm({
    isOpen,
    values: () => ({ name: known.name, remark: "" }),
    validate: ({ name }) => ({ name: !name.trim() && "请填写姓名" }),
    request: ({ name }) => ({ name: name.trim() }),
    send: async (key, { name }) => {
      sent.push({ key, name });
      const problem = problems.shift();
      if (problem) throw problem;
      return { number: sent.length };
    },
    onSuccess,
  });
  return { form, isOpen, sent, onSuccess, known };
}

const refusal = () => new ApiProblem(422, "invalid", "请求有误", undefined, [{ field: "remark", code: "long", reason: "太长" }]);

describe("a form", () => {
  it("says nothing of a field before it is touched or sent", () => {
    const { form } = failing();

    expect(form.errorOf("name")).toBeFalsy();
    form.touch("name");
    expect(form.errorOf("name")).toBe("请填写姓名");
    form.touch("name", false);
    expect(form.errorOf("name")).toBeFalsy();
  });

  it("sends nothing while a field is wrong", async () => {
    const { form, sent } = failing();

    await form.submit();

    expect(sent).toEqual([]);
    expect(form.errorOf("name")).toBe("请填写姓名");
  });

  it("sends its request, tells and closes", async () => {
    const { form, isOpen, sent, onSuccess } = failing();
    form.values.name = " 王芳 ";

    await form.submit();

    expect(sent).toEqual([{ key: expect.any(String), name: "王芳" }]);
    expect(onSuccess).toHaveBeenCalledExactlyOnceWith({ number: 1 });
    expect(isOpen.value).toBe(false);
  });

  it("stays open with the API's reason at the field", async () => {
    const { form, onSuccess } = failing(refusal());
    form.values.name = "王芳";

    await form.submit();

    expect(form.isOpen).toBe(true);
    expect(form.problem?.title).toBe("请求有误");
    expect(form.errorOf("remark")).toBe("太长");
    expect(onSuccess).not.toHaveBeenCalled();
  });

  it("that got no answer sends the same request under the same key, another under another", async () => {
    const { form, sent } = failing(ApiProblem.unreachable(), ApiProblem.unreachable());
    form.values.name = "王芳";
    await form.submit();
    form.values.name = "王芳 ";
    await form.submit();
    form.values.name = "王方";
    await form.submit();

    const [first, second, third] = sent;
    expect(second!.key).toBe(first!.key);
    expect(third!.key).not.toBe(first!.key);
  });

  it("begins anew at each opening, with what is known then", async () => {
    const { form, isOpen, known } = failing(refusal());
    form.values.name = "王芳";
    form.values.remark = "长";
    await form.submit();

    isOpen.value = false;
    await nextTick();
    known.name = "李明";
    isOpen.value = true;
    await nextTick();

    expect(form.values).toEqual({ name: "李明", remark: "" });
    expect(form.problem).toBeUndefined();
    form.values.name = "";
    expect(form.errorOf("name")).toBeFalsy();
  });

  it("knows the fields that it shows itself: what it holds and what it checks", () => {
    const { form } = failing();

    expect(new Set(form.fields)).toEqual(new Set(["name", "remark"]));
  });

  it("asks first where sending is to be confirmed", async () => {
    const answers = [false, true];
    const send = vi.fn(async () => true);
    const form = useForm({ values: () => ({ name: "王芳" }), confirm: () => answers.shift()!, send, onSuccess: () => undefined });

    await form.submit();
    expect(send).not.toHaveBeenCalled();
    await form.submit();
    expect(send).toHaveBeenCalledOnce();
  });
});
