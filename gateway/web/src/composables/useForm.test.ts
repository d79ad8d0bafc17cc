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
    expect(onSuccess).toHaveBeenCalledExactlyOnceWith({ number: 1 }, { name: "王芳" });
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

  it("submitted again while it asks, sends or goes on, does nothing", async () => {
    const confirm = vi.fn(() => Promise.resolve(true));
    const send = vi.fn(() => Promise.resolve(1));
    const onSuccess = vi.fn(() => Promise.resolve());
    const form = useForm({ values: () => ({}), confirm, send, onSuccess });

    await Promise.all([form.submit(), form.submit(), nextTick().then(() => form.submit())]);

    expect([confirm, send, onSuccess].map((called) => called.mock.calls.length)).toEqual([1, 1, 1]);
    await form.submit();
    expect(send).toHaveBeenCalledTimes(2);
  });

  it("runs from sending until what follows the answer is done", async () => {
    const told: boolean[] = [];
    const tell = () => {
      told.push(form.isRunning);
      return Promise.resolve(true);
    };
    const form = useForm({ values: () => ({}), confirm: tell, send: tell, onSuccess: tell });

    await form.submit();

    expect([...told, form.isRunning]).toEqual([false, true, true, false]);
  });

  it("can be submitted again after what follows the answer has failed", async () => {
    const onSuccess = vi.fn().mockRejectedValueOnce(new Error("lost"));
    const form = useForm({ values: () => ({}), onSuccess });

    await expect(form.submit()).rejects.toThrow("lost");
    expect(form.isRunning).toBe(false);
    await form.submit();
    expect(onSuccess).toHaveBeenCalledTimes(2);
  });

  it("renews what it has to after a problem, and does not ask for it before it is submitted again", async () => {
    const send = vi.fn().mockRejectedValueOnce(new ApiProblem(409, "conflict", "冲突"));
    const onFailure = vi.fn(() => {
      form.values.code = "";
    });
    const form = useForm({
      values: () => ({ code: "1" }),
      validate: ({ code }) => ({ code: !code && "请填写" }),
      send,
      onSuccess: () => undefined,
      onFailure,
    });

    await form.submit();
    expect(onFailure).toHaveBeenCalledExactlyOnceWith(form.problem, { code: "1" });
    expect(form.errorOf("code")).toBeFalsy();
    await form.submit();
    expect(form.errorOf("code")).toBe("请填写");
    expect(form.problem).toBeUndefined();
    expect(send).toHaveBeenCalledOnce();
  });

  it("counts how often something was wrong, not how often the user declined", async () => {
    const { form } = failing(refusal());
    await form.submit();
    expect(form.refusals).toBe(1);
    form.values.name = "王芳";
    await form.submit();
    expect(form.refusals).toBe(2);
    await form.submit();
    expect(form.refusals).toBe(2);

    const declined = useForm({ values: () => ({}), confirm: () => Promise.resolve(false), onSuccess: () => undefined });
    await declined.submit();
    expect(declined.refusals).toBe(0);
  });

  it("that sends nothing goes on with its request", async () => {
    const onSuccess = vi.fn();
    const form = useForm({ values: () => ({ name: " 王芳 " }), request: ({ name }) => name.trim(), onSuccess });

    await form.submit();

    expect(onSuccess).toHaveBeenCalledExactlyOnceWith("王芳", "王芳");
  });

  it("with several buttons sends the one that was pressed, whatever is pressed meanwhile", async () => {
    const onSuccess = vi.fn();
    const form = useForm({
      values: () => ({ remark: "", wanted: "approve" }),
      validate: ({ remark, wanted }) => ({ remark: wanted === "reject" && !remark && "请填写" }),
      send: (_key, { wanted }) => Promise.resolve(`${wanted}d`),
      onSuccess,
    });

    await form.submit({ wanted: "reject" });
    expect(form.errorOf("remark")).toBe("请填写");
    await Promise.all([form.submit({ wanted: "approve" }), form.submit({ wanted: "reject" })]);

    expect(onSuccess).toHaveBeenCalledExactlyOnceWith("approved", { remark: "", wanted: "approve" });
  });
});

describe("a form that changes what is known", () => {
  function changing() {
    const isOpen = ref(true);
    const sent: unknown[] = [];
    const form = useForm({
      isOpen,
      isChange: () => true,
      values: () => ({ name: "王芳" }),
      send: (_key, request) => Promise.resolve(sent.push(request)),
      onSuccess: () => undefined,
    });
    return { form, isOpen, sent };
  }

  it("says that nothing was changed, and sends nothing", async () => {
    const { form, isOpen, sent } = changing();
    await form.submit();

    expect(form.problem?.title).toBe("没有修改任何内容");
    expect([sent, isOpen.value]).toEqual([[], true]);

    form.values.name = "王芳芳";
    await form.submit();
    expect(sent).toEqual([{ name: "王芳芳" }]);
    expect(form.problem).toBeUndefined();
  });
});
